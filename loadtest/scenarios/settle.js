// Users prove an e-mail address, change phone and password, and see and end their sessions.
import { ALL_GOOD, arrivals, duration, rate } from '../lib/service.js';
import { settle } from '../lib/journeys.js';

export const options = {
  scenarios: { settle: arrivals(rate(5), duration('20s')) },
  thresholds: {
    ...ALL_GOOD,
    'http_req_duration{name:phone/change}': ['p(95)<500'],
    'http_req_duration{name:send-email-otp}': ['p(95)<500'],
    'http_req_duration{name:sessions}': ['p(95)<500'],
    dropped_iterations: ['count==0'],
  },
};

export default settle;
