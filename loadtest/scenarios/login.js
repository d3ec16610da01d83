// Users sign in; each login is a password hash.
import { ALL_GOOD, arrivals, duration, rate } from '../lib/service.js';
import { signIn } from '../lib/journeys.js';

export const options = {
  scenarios: { login: arrivals(rate(20), duration('20s')) },
  thresholds: { ...ALL_GOOD, 'http_req_duration{name:login}': ['p(95)<1000'], dropped_iterations: ['count==0'] },
};

export default signIn;
