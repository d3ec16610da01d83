// Users come back: signed in by a code, then with a new password set by another, which ends the sessions before it.
import { ALL_GOOD, arrivals, duration, rate } from '../lib/service.js';
import { comeBack } from '../lib/journeys.js';

export const options = {
  scenarios: { recover: arrivals(rate(5), duration('20s')) },
  thresholds: {
    ...ALL_GOOD,
    'http_req_duration{name:login/code}': ['p(95)<500'],
    'http_req_duration{name:password/forgot}': ['p(95)<500'],
    dropped_iterations: ['count==0'],
  },
};

export default comeBack;
