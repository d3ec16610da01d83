// An address that lies about itself: each request names another client in its forwarding headers, and asks for a number of
// another block. Nobody trusts it, so all count for the one address.
import { check } from 'k6';
import { Counter } from 'k6/metrics';
import { fresh, asksForWork, refused, send, unique, vus } from '../lib/service.js';

const got_through = new Counter('forged_got_through');

export const options = {
  scenarios: { forge: { executor: 'shared-iterations', vus: vus(50), iterations: 1000 } },
  // otp-send-per-ip: 200 at once, and 300 an hour; beyond it for proofs of work alone.
  thresholds: { checks: ['rate==1'], forged_got_through: ['count>=200', 'count<=205'] },
};

export default function () {
  const at = unique();
  const address = `203.0.${at % 250}.${Math.floor(at / 250) + 1}`;
  const headers = Object.fromEntries(
    ['x-real-ip', 'cf-connecting-ip', 'true-client-ip', 'x-client-ip', 'fastly-client-ip'].map((name) => [name, address]),
  );
  Object.assign(headers, { 'x-forwarded-for': `${address}, 10.0.0.1`, forwarded: `for=${address}` });
  const answer = send(fresh(at * 100_003), { headers });
  if (answer.status === 200) got_through.add(1);
  check(answer, {
    'sent, or work is asked for': (given) => given.status === 200 || asksForWork(given) || (refused(given) && given.json('rule').startsWith('otp-send-per-ip')),
  });
}
