// One account's password guessed from 200 addresses: a hundred are judged a day at most, whatever the addresses;
// what comes all at once is refused before it costs a hash.
import { check } from 'k6';
import { Counter } from 'k6/metrics';
import { login, madeEmail, refused, vus } from '../lib/service.js';

const judged = new Counter('passwords_judged');

export const options = {
  scenarios: { guess: { executor: 'per-vu-iterations', vus: vus(200), iterations: 10 } },
  // login-per-account-day: 100.
  thresholds: { checks: ['rate==1'], passwords_judged: ['count>0', 'count<=101'] },
};

export default function () {
  const answer = login(madeEmail(5), 'a-guess-at-it');
  if (answer.status === 401) judged.add(1);
  check(answer, { 'wrong, or refused with Retry-After': (given) => given.status === 401 || refused(given) });
}
