// Ten times the traffic within 5 s, for 10 s, and back. What can't be served is refused with a time to come again; 5 s after
// the spike everything is as before.
import { duration, rate, refused, seconds, tokens, me, send } from '../lib/service.js';
import { somePhone } from '../lib/journeys.js';
import { check } from 'k6';
import exec from 'k6/execution';

const [usual, before] = [rate(100), seconds(duration('5s'))];
const over = before + 5 + 10 + 5; // seconds from the start until the spike is over

export const options = {
  scenarios: {
    spike: {
      executor: 'ramping-arrival-rate', startRate: usual, timeUnit: '1s', preAllocatedVUs: 200, maxVUs: 1500,
      stages: [
        { target: usual, duration: `${before}s` },
        { target: usual * 10, duration: '5s' },
        { target: usual * 10, duration: '10s' },
        { target: usual, duration: '5s' },
        { target: usual, duration: `${before + 5}s` },
      ],
    },
  },
  thresholds: {
    checks: ['rate==1'],
    'http_req_duration{phase:before}': ['p(99)<250'],
    'http_req_duration{phase:after}': ['p(99)<250'],
    'http_req_failed{phase:after}': ['rate==0'],
  },
};

export const setup = () => tokens(20);

export default function (all) {
  const at = (Date.now() - exec.scenario.startTime) / 1000;
  exec.vu.tags.phase = at < before ? 'before' : at < over + 5 ? 'spike' : 'after';
  const number = exec.scenario.iterationInTest;
  const answer = number % 8 ? me(all[number % all.length]) : send(somePhone());
  check(answer, { 'served, or refused with Retry-After': (given) => given.status === 200 || refused(given) });
}
