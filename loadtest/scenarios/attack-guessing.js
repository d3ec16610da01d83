// One phone, one code, hundreds of guesses at once over all instances from many addresses: two are told to be wrong, the third
// and every other that the attempts are spent, and then the right code is refused as well.
import { check } from 'k6';
import { Counter } from 'k6/metrics';
import { codeFor, expect, fresh, freshEmail, other, register, send, unique, verify, vus } from '../lib/service.js';

const judged = new Counter('told_wrong');
const let_in = new Counter('let_in');

export const options = {
  scenarios: { guess: { executor: 'shared-iterations', vus: vus(100), iterations: 1000 } },
  thresholds: { checks: ['rate==1'], told_wrong: ['count==2'], let_in: ['count==0'] },
};

export function setup() {
  const phone = fresh(0);
  expect(register(freshEmail(0), phone), 'registered', 201);
  expect(send(phone), 'sent', 200);
  return { phone, code: codeFor(phone) };
}

export default function ({ phone, code }) {
  let guess = code;
  for (let step = 0; step <= unique() % 50; step++) guess = other(guess);
  const answer = verify(phone, guess);
  const verdict = answer.status === 200 ? 'let in' : answer.json('code');
  if (verdict === 'otp_invalid') judged.add(1);
  if (verdict === 'let in') let_in.add(1);
  check(verdict, { 'refused': (given) => ['otp_invalid', 'otp_attempts_exceeded', 'rate_limited'].includes(given) });
}

export function teardown({ phone, code }) {
  const answer = verify(phone, code);
  if (answer.status === 200) let_in.add(1);
  check(answer, { 'the right code comes too late': (given) => given.status === 400 || given.status === 429 });
}
