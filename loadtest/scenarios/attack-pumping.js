// SMS pumping: codes for a block of numbers in sequence, whose owner earns from each SMS, from 200 addresses. Budgets of
// unverified messages stop it; what counts is how many SMS the simulator was paid for.
import { check } from 'k6';
import { Gauge } from 'k6/metrics';
import { asksForWork, made, refused, send, smsTaken, unique, vus } from '../lib/service.js';
import { sleep } from 'k6';

const paid = new Gauge('sms_paid_for');

export const options = {
  scenarios: { pump: { executor: 'shared-iterations', vus: vus(200), iterations: 3000 } },
  // otp-send-per-block: 4 at once for each block of numbers.
  thresholds: { checks: ['rate==1'], sms_paid_for: ['value>0', 'value<=210'] },
};

export default function () {
  const answer = send(made(unique()));
  check(answer, { 'sent, or refused with Retry-After, or for a proof of work': (given) => given.status === 200 || asksForWork(given) || refused(given) });
}

export function teardown() {
  sleep(3);
  paid.add(smsTaken());
}
