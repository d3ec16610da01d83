// Ten times the logins that the machine carries, then 500 at the same moment: what is served stays near the peak, the rest is
// refused at once with a time to come again, who looks at his account is served throughout, and it is soon over.
import { check } from 'k6';
import exec from 'k6/execution';
import { Counter, Trend } from 'k6/metrics';
import { arrivals, login, madeEmail, me, refused, tokens, unique, USERS } from '../lib/service.js';

// What a closed loop got a second; loadtest/run measures it beforehand.
const PEAK = Number(__ENV.PEAK);
const FLOOD = 20;

const served = new Counter('served_in_flood');
const refusals = new Trend('refused_after', true);
const crowded = new Trend('crowd_refused_after', true);

export const options = {
  scenarios: {
    users: arrivals(30, '40s', { exec: 'users' }),
    flood: arrivals(PEAK * 10, `${FLOOD}s`, { exec: 'flood', startTime: '3s', preAllocatedVUs: 300, maxVUs: 800 }),
    crowd: { executor: 'per-vu-iterations', vus: 500, iterations: 1, exec: 'crowd', startTime: '26s' },
  },
  thresholds: {
    checks: ['rate==1'],
    served_in_flood: [`count>=${Math.floor(PEAK * FLOOD * 0.8)}`],
    refused_after: ['p(95)<100'],
    // They connect at the same moment too, and the load generator makes 500 connections on the same cores.
    crowd_refused_after: ['p(95)<500'],
    'http_req_failed{name:me}': ['rate==0'],
    'http_req_duration{phase:after}': ['p(99)<250'],
  },
};

export const setup = () => tokens(5);

function attempt(waits, count) {
  const answer = login(madeEmail(10 + (unique() % (USERS - 10))));
  if (answer.status === 200 && count) count.add(1);
  if (answer.status === 503) waits.add(answer.timings.duration);
  check(answer, { 'served, or refused with Retry-After': (given) => given.status === 200 || refused(given) });
}

export const flood = () => attempt(refusals, served);
export const crowd = () => attempt(crowded);

export function users(all) {
  const at = (Date.now() - exec.scenario.startTime) / 1000;
  // The crowd has come at 26 s; from 5 s later on all is as before.
  exec.vu.tags.phase = at < 3 ? 'before' : at < 32 ? 'during' : 'after';
  check(me(all[unique() % all.length]), { 'me: 200': (answer) => answer.status === 200 });
}
