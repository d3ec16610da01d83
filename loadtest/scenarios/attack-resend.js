// Guess, guess, guess, have another code sent, and again: a resend gives no guesses back, ten are judged in an hour. The
// cooldown and the limits would stop it sooner, so they are out of the way here.
import { check } from 'k6';
import { Counter } from 'k6/metrics';
import { codeFor, expect, fresh, freshEmail, other, register, send, verify } from '../lib/service.js';

const judged = new Counter('guesses_judged');
const let_in = new Counter('let_in');

export const options = {
  scenarios: { resend: { executor: 'shared-iterations', vus: 1, iterations: 1 } },
  thresholds: { checks: ['rate==1'], guesses_judged: ['count==10'], let_in: ['count==0'] },
};

export default function () {
  const phone = fresh(0);
  expect(register(freshEmail(0), phone), 'registered', 201);
  let code, last = 'none';
  for (let round = 0; round < 20; round++) {
    const sent = send(phone);
    if (sent.status !== 200) {
      check(sent, { 'no further code: 429': (given) => given.status === 429 && given.json('rule') === 'otp-max-failures' });
      continue;
    }
    // An SMS comes a moment later: the one before must not be taken for it.
    for (let look = 0, before = last; look < 20 && last === before; look++) last = code = codeFor(phone);
    for (let guess = 0; guess < 5; guess++) {
      code = other(code);
      const answer = verify(phone, code);
      if (answer.status === 200) let_in.add(1);
      // The third one is judged too; those after it are told the same.
      if (answer.json('code') === 'otp_invalid' || (guess === 2 && answer.json('code') === 'otp_attempts_exceeded')) judged.add(1);
      if (answer.status === 429) break;
    }
  }
  const late = verify(phone, last);
  if (late.status === 200) let_in.add(1);
}
