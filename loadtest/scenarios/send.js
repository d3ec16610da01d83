// Codes are asked for at a steady rate, each for another account; loadtest/run waits until each SMS went out.
import { ALL_GOOD, arrivals, duration, rate } from '../lib/service.js';
import { sendCode } from '../lib/journeys.js';

export const options = {
  scenarios: { send: arrivals(rate(200), duration('20s')) },
  thresholds: { ...ALL_GOOD, 'http_req_duration{name:send-phone-otp}': ['p(95)<250'], dropped_iterations: ['count==0'] },
};

export default sendCode;
