// The service as its clients see it, and what all scenarios share. loadtest/run sets the environment:
//   BASE_URLS  the instances, asked in turn         SIM_URL   the simulator; without it codes come from the dev inbox
//   MAIL_URL   the mailbox of e-mails, where there is one
//   USERS      accounts that were made beforehand   START     where this run's own phones and names begin
//   RATE, VUS, DURATION                             from the caller, or the scenario's own
import http from 'k6/http';
import exec from 'k6/execution';
import { check, fail, sleep } from 'k6';
import { Counter } from 'k6/metrics';

export const BASES = (__ENV.BASE_URLS || __ENV.BASE_URL || 'http://127.0.0.1:8000').split(',');
export const SIM = __ENV.SIM_URL;
export const MAIL = __ENV.MAIL_URL;
export const USERS = Number(__ENV.USERS || 0);
export const PASSWORD = 'securepass123';
const START = Number(__ENV.START || Date.now() % 5_000_000);

// What was answered: 429 and 503 are answers too, but no work.
http.setResponseCallback(http.expectedStatuses({ min: 200, max: 299 }));

export const rate = (usual) => Number(__ENV.RATE || usual);
export const vus = (usual) => Number(__ENV.VUS || usual);
export const duration = (usual) => __ENV.DURATION || usual;
export const seconds = (text) => [...text.matchAll(/(\d+)([smh])/g)].reduce((sum, [, n, unit]) => sum + n * { s: 1, m: 60, h: 3600 }[unit], 0);

// An open load: requests come at their rate, however slow the answers are.
export function arrivals(perSecond, time, more = {}) {
  return {
    executor: 'constant-arrival-rate', rate: perSecond, timeUnit: '1s', duration: time,
    preAllocatedVUs: Math.min(400, Math.max(10, Math.ceil(perSecond / 5))), maxVUs: 800, ...more,
  };
}

// A number that no other iteration of the run has.
export function unique() {
  return exec.scenario.iterationInTest;
}

// The phone of a number: valid, in a city whose accounts loadtest/run made (`made`) or in others.
export const made = (number) => `+1415${2_000_000 + number}`;
const CITIES = ['646', '202', '305', '404', '503', '602', '702', '713', '801', '917'];
export function fresh(number = unique(), kind = 0) {
  const at = START + number;
  return `+1${CITIES[(kind + Math.floor(at / 7_900_000)) % CITIES.length]}${2_000_000 + (at % 7_900_000)}`;
}
export const madeEmail = (number) => `user${number}@example.com`;
export const freshEmail = (number = unique(), kind = 0) => `load-${START}-${kind}-${number}@example.com`;

let turn = 0;
export const base = () => BASES[(__VU + turn++) % BASES.length];

function params(name, { token, headers, ...more } = {}) {
  const all = { 'content-type': 'application/json', ...headers };
  if (token) all.authorization = `Bearer ${token}`;
  return { headers: all, tags: { name }, timeout: '20s', ...more };
}

export function post(path, body, more) {
  return http.post(`${base()}/api/users/${path}/`, JSON.stringify(body), params(path, more));
}
// `by`: the code of the e-mail address and the id of its challenge, where it has one.
export const register = (email, phone, more, password = PASSWORD, by = {}) => post('register', {
  email, phone, first_name: 'Load', last_name: 'Test', password, password_confirm: password, ...by,
}, more);
export const login = (email, password = PASSWORD, more) => post('login', { email, password }, more);
// loadtest/run compares them with the SMS that reached the simulator.
const promised = new Counter('sms_promised');
export function send(phone, more) {
  const answer = post('send-phone-otp', { phone }, more);
  if (answer.status === 200) promised.add(1);
  return answer;
}
export const verify = (phone, otp, more) => post('verify-phone-otp', { phone, otp }, more);
// Codes to sign in by and to reset a password by; each is an SMS that was promised.
export function loginCode(address, more) {
  const answer = post('login/code', at(address), more);
  if (answer.status === 200 && !isEmail(address)) promised.add(1);
  return answer;
}
export const loginByCode = (challenge_id, otp, more) => post('login/code/verify', { challenge_id, otp }, more);
export function forgot(address, more) {
  const answer = post('password/forgot', at(address), more);
  if (answer.status === 200 && !isEmail(address)) promised.add(1);
  return answer;
}
export const reset = (challenge_id, otp, password, more) => post('password/reset', {
  challenge_id, otp, password, password_confirm: password,
}, more);
// Codes by e-mail, and another phone or e-mail address by one.
export const registerCode = (email) => post('register/code', { email });
export const sendEmail = (email, more) => post('send-email-otp', { email }, more);
export const verifyEmail = (email, otp, more) => post('verify-email-otp', { email, otp }, more);
export function change(address, more) {
  const answer = post(`${isEmail(address) ? 'email' : 'phone'}/change`, { ...at(address), password: PASSWORD }, more);
  if (answer.status === 200 && !isEmail(address)) promised.add(1);
  return answer;
}
export const enterChange = (address, otp, more) => post(`${isEmail(address) ? 'email' : 'phone'}/change/verify`, { ...at(address), otp }, more);
export const changePassword = (password, more) => post('password/change', {
  current_password: PASSWORD, password, password_confirm: password,
}, more);
// Sessions.
export const refresh = (token, more) => post('token/refresh', { refresh: token }, more);
export const logout = (more) => post('logout', {}, more);
export const sessions = (token) => http.get(`${base()}/api/users/sessions/`, params('sessions', { token }));
export const endSession = (id, token) => http.del(`${base()}/api/users/sessions/${id}/`, null, params('sessions/{id}', { token }));
export const endOthers = (token) => http.del(`${base()}/api/users/sessions/`, null, params('sessions', { token }));
export const me = (token, more) => http.get(`${base()}/api/users/me/`, params('me', { token, ...more }));

const isEmail = (address) => address.includes('@');
const at = (address) => (isEmail(address) ? { email: address } : { phone: address });

// A code that this one is not.
export const other = (code) => String((Number(code) + 1) % 1_000_000).padStart(6, '0');

// The code in the newest message to a phone or an e-mail address; it goes out a moment after the answer to send. `last`: the
// one that came before.
export function codeFor(phone, last) {
  const messages = isEmail(phone) ? MAIL : SIM;
  const place = messages
    ? `${messages}/messages.json?limit=1&to=${encodeURIComponent(phone)}`
    : `${BASES[0]}/dev/inbox.json`;
  for (let look = 0; look < 100; look++) {
    const found = http.get(place, { tags: { name: 'sms' }, responseType: 'text' }).json();
    // Notices have no code.
    const [code] = found.filter(({ to }) => to === phone).map(({ body }) => body.match(/\b\d{6}\b/)).filter(Boolean).map(([digits]) => digits);
    if (code && code !== last) return code;
    sleep(0.05);
  }
  fail('no code came');
}

// How many SMS the simulator took.
export const smsTaken = () => http.get(`${SIM}/stats.json`, { tags: { name: 'sms' } }).json('accepted');

export function expect(answer, what, status) {
  return check(answer, { [`${what}: ${status}`]: (given) => given.status === status });
}

// A refusal that a client can act on: 429 or 503, and when to come again.
export function refused(answer) {
  return (answer.status === 429 || answer.status === 503) && Number(answer.headers['Retry-After']) > 0;
}

// Over the quota of a rule that lets those pass who prove some work.
export const asksForWork = (answer) => answer.status === 428 && answer.json('proof.algorithm') === 'SHA-256';

// Tokens of accounts that were made, or of new ones where none were.
export function tokens(count) {
  return Array.from({ length: count }, (_, number) => {
    const answer = USERS ? login(madeEmail(number)) : register(freshEmail(number, 9), fresh(number, 9));
    if (answer.status >= 300) fail(`no token: ${answer.status} ${answer.body}`);
    return answer.json('tokens.access');
  });
}

// Every answer is good; RATE and the rest change how many there are, not that.
export const ALL_GOOD = { checks: ['rate==1'], http_req_failed: ['rate==0'] };
