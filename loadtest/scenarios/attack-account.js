// One account's password guessed from 200 addresses, each of which comes again when it is told that the service is busy: fifty
// are judged a day, no more and no fewer, whatever the addresses.
import { check, sleep } from 'k6';
import { Counter } from 'k6/metrics';
import { login, madeEmail, refused, vus } from '../lib/service.js';

const judged = new Counter('passwords_judged');

export const options = {
  scenarios: { guess: { executor: 'per-vu-iterations', vus: vus(200), iterations: 10, maxDuration: '2m' } },
  // login-per-account-day: 50. Fewer would mean that refusals were spent, too.
  thresholds: { checks: ['rate==1'], passwords_judged: ['count>=50', 'count<=51'] },
};

export default function () {
  let answer;
  for (let look = 0; look < 50; look++) {
    answer = login(madeEmail(5), 'a-guess-at-it');
    if (answer.status !== 503) break;
    sleep(Number(answer.headers['Retry-After']) * Math.random());
  }
  if (answer.status === 401) judged.add(1);
  check(answer, { 'wrong, or refused with Retry-After': (given) => given.status === 401 || refused(given) });
}
