// 10,000 addresses of one IPv6 /64, as a proxy reports them: whoever rents a server has 18 quintillion of them, and is one
// client. Another /64 is another one, and not refused for it.
import { check } from 'k6';
import { Counter } from 'k6/metrics';
import { expect, fresh, asksForWork, refused, send, unique, vus } from '../lib/service.js';

const got_through = new Counter('one_network_got_through');

export const options = {
  scenarios: { rotate: { executor: 'shared-iterations', vus: vus(50), iterations: 10000 } },
  // otp-send-per-ip: 200 at once, and 300 an hour; beyond it for proofs of work alone.
  thresholds: { checks: ['rate==1'], one_network_got_through: ['count>=200', 'count<=205'] },
};

const from = (address) => ({ headers: { 'x-forwarded-for': address } });

export default function () {
  const at = unique();
  const answer = send(fresh(at * 100_003), from(`2001:db8:1:1:${(at % 250).toString(16)}::${at.toString(16)}`));
  if (answer.status === 200) got_through.add(1);
  check(answer, {
    'sent, or work is asked for': (given) => given.status === 200 || asksForWork(given) || (refused(given) && given.json('rule').startsWith('otp-send-per-ip')),
  });
}

export const teardown = () => expect(send(fresh(7, 3), from('2001:db8:1:2::1')), 'another network', 200);
