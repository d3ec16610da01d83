// Passwords of a megabyte, to be hashed, as many as ten clients can send: refused by their length before a byte is looked
// at, while others are served.
import http from 'k6/http';
import { check } from 'k6';
import { ALL_GOOD, arrivals, expect, login, me, register, tokens, unique, vus } from '../lib/service.js';

export const options = {
  scenarios: {
    huge: { executor: 'constant-vus', vus: vus(10), duration: '10s', exec: 'huge' },
    users: arrivals(50, '10s', { exec: 'users' }),
  },
  thresholds: {
    ...ALL_GOOD,
    'http_req_duration{name:register}': ['p(95)<250'],
    'http_req_duration{name:me}': ['p(95)<250'],
  },
};

const HUGE = 'x'.repeat(1_000_000);
const responseCallback = http.expectedStatuses(413);

export const setup = () => tokens(5);

export function huge() {
  const answer = unique() % 2
    ? login('somebody@example.com', HUGE, { responseCallback })
    : register(`huge${unique()}@example.com`, '+14152000001', { responseCallback }, HUGE);
  check(answer, { 'too large: 413': (given) => given.status === 413 });
}

export const users = (all) => expect(me(all[unique() % all.length]), 'me', 200);
