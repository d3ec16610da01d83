// The mix for a long time, 10 minutes unless DURATION says otherwise. loadtest/run fails it too if an instance's memory in
// the last fifth is more than 1.25 times that of the second fifth: something leaks then.
import { ALL_GOOD, duration, rate, tokens } from '../lib/service.js';
import { mix } from '../lib/journeys.js';

export { lookAt, sendCode, signIn, signUp, verifyCode } from '../lib/journeys.js';

export const options = {
  scenarios: mix(rate(100), duration('10m')),
  thresholds: { ...ALL_GOOD, 'http_req_duration{name:me}': ['p(95)<250'] },
};

export const setup = () => tokens(20);
