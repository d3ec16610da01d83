// Users live by e-mail: they register by a code, change the address, sign in and reset a password by codes to it.
import { ALL_GOOD, arrivals, duration, rate } from '../lib/service.js';
import { liveByEmail } from '../lib/journeys.js';

export const options = {
  scenarios: { email: arrivals(rate(5), duration('20s')) },
  thresholds: {
    ...ALL_GOOD,
    'http_req_duration{name:register/code}': ['p(95)<500'],
    'http_req_duration{name:login/code}': ['p(95)<500'],
    'http_req_duration{name:password/forgot}': ['p(95)<500'],
    dropped_iterations: ['count==0'],
  },
};

export default liveByEmail;
