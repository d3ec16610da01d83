// The main job, over and over: register, ask for a code, read it in the development inbox, verify, me.
//
//   cargo run --release                # in one terminal; the inbox is there without a provider alone
//   k6 run loadtest/smoke.js           # in another
//
// BASE_URL points it elsewhere (default http://127.0.0.1:8000), VUS and DURATION change its size. Rate limits by address
// are in force: an empty file as RINGBACK__LIMITS__FILE takes them out.
import http from 'k6/http';
import { check, fail, sleep } from 'k6';

const BASE = __ENV.BASE_URL || 'http://127.0.0.1:8000';
const JSON_BODY = { headers: { 'content-type': 'application/json' } };

export const options = {
  vus: Number(__ENV.VUS || 2),
  duration: __ENV.DURATION || '10s',
  thresholds: { checks: ['rate==1'], http_req_failed: ['rate==0'] },
};

function post(path, body) {
  return http.post(`${BASE}/api/users/${path}/`, JSON.stringify(body), JSON_BODY);
}

// The code in the newest SMS to this phone; it goes out a moment after the answer.
function codeFor(phone) {
  for (let look = 0; look < 50; look++) {
    const message = http.get(`${BASE}/dev/inbox.json`).json().find(({ to }) => to === phone);
    if (message) return message.body.match(/\d{6}/)[0];
    sleep(0.02);
  }
  fail('no SMS came');
}

export default function () {
  const nonce = `${Date.now()}${__VU}${__ITER}`.slice(-10);
  const phone = `+1${nonce.padStart(10, '2')}`;
  const registered = post('register', {
    email: `smoke${nonce}@example.com`, phone, first_name: 'Smoke', last_name: 'Test',
    password: 'securepass123', password_confirm: 'securepass123',
  });
  if (!check(registered, { 'registered: 201': ({ status }) => status === 201 })) return;
  check(post('send-phone-otp', { phone }), { 'sent: 200': ({ status }) => status === 200 });
  check(post('verify-phone-otp', { phone, otp: codeFor(phone) }), { 'verified: 200': ({ status }) => status === 200 });
  const me = http.get(`${BASE}/api/users/me/`, { headers: { authorization: `Bearer ${registered.json('tokens.access')}` } });
  check(me, { 'me: the phone is verified': (answer) => answer.status === 200 && answer.json('phone_verified') === true });
}
