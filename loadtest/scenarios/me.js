// Users who are signed in look at their account: what a frontend asks for most.
import { ALL_GOOD, arrivals, duration, rate, tokens } from '../lib/service.js';
import { lookAt } from '../lib/journeys.js';

export const options = {
  scenarios: { me: arrivals(rate(500), duration('20s')) },
  thresholds: { ...ALL_GOOD, 'http_req_duration{name:me}': ['p(95)<100'], dropped_iterations: ['count==0'] },
};

export const setup = () => tokens(20);
export default lookAt;
