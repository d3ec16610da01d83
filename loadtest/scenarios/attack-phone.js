// One phone, asked for from 200 addresses over all instances at once: it rings once, whoever asks.
import { check } from 'k6';
import { Gauge } from 'k6/metrics';
import { sleep } from 'k6';
import { expect, fresh, freshEmail, refused, register, send, smsTaken, vus } from '../lib/service.js';

const rang = new Gauge('phone_rang');

export const options = {
  scenarios: { ring: { executor: 'per-vu-iterations', vus: vus(200), iterations: 5 } },
  thresholds: { checks: ['rate==1'], phone_rang: ['value==1'] },
};

export function setup() {
  const phone = fresh(0);
  expect(register(freshEmail(0), phone), 'registered', 201);
  return phone;
}

export default function (phone) {
  const answer = send(phone);
  check(answer, { 'sent, or refused with Retry-After': (given) => given.status === 200 || refused(given) });
}

export function teardown() {
  sleep(3);
  rang.add(smsTaken());
}
