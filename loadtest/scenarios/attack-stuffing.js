// Stolen passwords tried at thousands of accounts from one address: few cost a hash, the rest is refused before it, and
// meanwhile who is signed in notices nothing.
import { check } from 'k6';
import { Counter } from 'k6/metrics';
import { arrivals, expect, login, madeEmail, me, refused, tokens, unique, vus } from '../lib/service.js';

const judged = new Counter('passwords_judged');

export const options = {
  scenarios: {
    stuff: { executor: 'shared-iterations', vus: vus(50), iterations: 3000, exec: 'stuff' },
    users: arrivals(30, '10s', { exec: 'users' }),
  },
  // login-per-ip: 200 at once, and 600 an hour.
  thresholds: { checks: ['rate==1'], passwords_judged: ['count>0', 'count<=220'], 'http_req_duration{name:me}': ['p(95)<500'] },
};

export const setup = () => tokens(5);

export function stuff() {
  const answer = login(madeEmail(10 + unique()), 'password-of-another-site');
  if (answer.status === 401) judged.add(1);
  check(answer, { 'wrong, or refused with Retry-After': (given) => given.status === 401 || refused(given) });
}

export const users = (all) => expect(me(all[unique() % all.length]), 'me', 200);
