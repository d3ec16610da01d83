// A frontend's mix at an arrival rate: for 100 requests 80 looks at the own account, 10 codes sent, 4 codes typed, 3 logins
// and 3 sign-ups. Users don't wait for one another, so neither do requests.
import { ALL_GOOD, duration, rate, tokens } from '../lib/service.js';
import { mix } from '../lib/journeys.js';

export { lookAt, sendCode, signIn, signUp, verifyCode } from '../lib/journeys.js';

export const options = {
  scenarios: mix(rate(200), duration('30s')),
  thresholds: { ...ALL_GOOD, 'http_req_duration{name:me}': ['p(95)<250'], 'http_req_duration{name:send-phone-otp}': ['p(95)<250'] },
};

export const setup = () => tokens(20);
