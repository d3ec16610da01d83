// A code is typed wrong, then right, each for another account.
import { ALL_GOOD, arrivals, duration, rate } from '../lib/service.js';
import { verifyCode } from '../lib/journeys.js';

export const options = {
  scenarios: { verify: arrivals(rate(50), duration('20s')) },
  thresholds: { ...ALL_GOOD, 'http_req_duration{name:verify-phone-otp}': ['p(95)<250'], dropped_iterations: ['count==0'] },
};

export default verifyCode;
