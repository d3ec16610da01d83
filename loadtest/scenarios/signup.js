// New users arrive at their own rate, each through the whole way: register, send, the code, verify, me.
import { ALL_GOOD, arrivals, duration, rate } from '../lib/service.js';
import { signUp } from '../lib/journeys.js';

export const options = {
  scenarios: { signup: arrivals(rate(10), duration('20s')) },
  thresholds: { ...ALL_GOOD, 'http_req_duration{name:send-phone-otp}': ['p(95)<500'], dropped_iterations: ['count==0'] },
};

export default signUp;
