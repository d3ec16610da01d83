// What users do, step by step, every answer checked.
import {
  arrivals, change, changePassword, codeFor, endOthers, endSession, enterChange, expect, forgot, fresh, freshEmail, login, loginByCode,
  loginCode, logout, made, madeEmail, me, other, refresh, register, registerCode, reset, send, sendEmail, sessions, unique, USERS,
  verify, verifyEmail,
} from './service.js';
import http from 'k6/http';
import { check } from 'k6';

export function signUp() {
  const phone = fresh();
  const registered = register(freshEmail(), phone);
  if (!expect(registered, 'registered', 201)) return;
  if (!expect(send(phone), 'sent', 200)) return;
  if (!expect(verify(phone, codeFor(phone)), 'verified', 200)) return;
  const answer = me(registered.json('tokens.access'));
  check(answer, { 'me: the phone is verified': (given) => given.status === 200 && given.json('phone_verified') === true });
}

// Proves the phone signed in, signs in by its code, forgets the password and sets another by a code: the sessions before it end.
export function comeBack() {
  const [phone, email] = [fresh(), freshEmail()];
  const registered = register(email, phone);
  if (!expect(registered, 'registered', 201)) return;
  const token = registered.json('tokens.access');
  if (!expect(send(phone, { token }), 'sent', 200)) return;
  let code = codeFor(phone);
  if (!expect(verify(phone, code, { token }), 'verified', 200)) return;

  let asked = loginCode(phone);
  if (!expect(asked, 'asked for a code to sign in by', 200)) return;
  code = codeFor(phone, code);
  const opened = loginByCode(asked.json('challenge_id'), code);
  if (!expect(opened, 'signed in by code', 200)) return;

  asked = forgot(phone);
  if (!expect(asked, 'asked for a code to reset the password by', 200)) return;
  code = codeFor(phone, code);
  const password = `another-otter-${unique()}`;
  if (!expect(reset(asked.json('challenge_id'), code, password), 'reset', 200)) return;
  const ended = me(opened.json('tokens.access'), { responseCallback: http.expectedStatuses(401) });
  check(ended, { 'me: the session has ended': (given) => given.status === 401 });
  expect(login(email, password), 'signed in by the new password', 200);
}

// Registers with a code by e-mail, changes the address by another, signs in by one to it, and sets a new password by the last.
export function liveByEmail() {
  const [email, next] = [freshEmail(), freshEmail(unique(), 1)];
  let asked = registerCode(email);
  if (!expect(asked, 'asked for a code to register by', 200)) return;
  let code = codeFor(email);
  const registered = register(email, fresh(), {}, undefined, { challenge_id: asked.json('challenge_id'), otp: code });
  if (!expect(registered, 'registered by code', 201)) return;
  check(registered, { 'registered: the e-mail is verified': (given) => given.json('user.email_verified') === true });
  const token = registered.json('tokens.access');

  if (!expect(change(next, { token }), 'asked for another e-mail address', 200)) return;
  code = codeFor(next);
  if (!expect(enterChange(next, code, { token }), 'changed the e-mail address', 200)) return;

  asked = loginCode(next);
  if (!expect(asked, 'asked for a code to sign in by', 200)) return;
  code = codeFor(next, code);
  if (!expect(loginByCode(asked.json('challenge_id'), code), 'signed in by code', 200)) return;

  asked = forgot(next);
  if (!expect(asked, 'asked for a code to reset the password by', 200)) return;
  code = codeFor(next, code);
  if (!expect(reset(asked.json('challenge_id'), code, `another-otter-${unique()}`), 'reset', 200)) return;
  const ended = me(token, { responseCallback: http.expectedStatuses(401) });
  check(ended, { 'me: the session has ended': (given) => given.status === 401 });
}

// Registers without a code, proves the e-mail address, changes phone and password, looks at the sessions and ends them.
export function settle() {
  const [phone, next, email] = [fresh(), fresh(unique(), 1), freshEmail()];
  const registered = register(email, phone);
  if (!expect(registered, 'registered', 201)) return;
  const token = registered.json('tokens.access');
  if (!expect(sendEmail(email, { token }), 'sent by e-mail', 200)) return;
  if (!expect(verifyEmail(email, codeFor(email), { token }), 'verified the e-mail address', 200)) return;
  if (!expect(change(next, { token }), 'asked for another phone', 200)) return;
  if (!expect(enterChange(next, codeFor(next), { token }), 'changed the phone', 200)) return;

  for (let count = 0; count < 2; count++) if (!expect(login(email), 'signed in', 200)) return;
  const listed = sessions(token);
  if (!expect(listed, 'sessions', 200)) return;
  check(listed, { 'sessions: three': (given) => given.json('sessions').length === 3 });
  const another = listed.json('sessions').find(({ current }) => !current);
  expect(endSession(another.id, token), 'ended a session', 204);
  expect(endOthers(token), 'ended the others', 204);
  const password = `another-otter-${unique()}`;
  if (!expect(changePassword(password, { token }), 'changed the password', 204)) return;
  const renewed = refresh(registered.json('tokens.refresh'));
  if (!expect(renewed, 'refreshed', 200)) return;
  expect(logout({ token: renewed.json('tokens.access') }), 'signed out', 204);
  expect(login(email, password), 'signed in by the new password', 200);
}

// The phone of an account that was made beforehand, a different one each time; without such, one that nobody has.
export const somePhone = () => (USERS ? made(unique() % USERS) : fresh());

export const sendCode = () => expect(send(somePhone()), 'sent', 200);

// Types a code wrong, then right; for the last accounts, since the first are sent codes to.
export function verifyCode() {
  const phone = made(USERS - 1 - (unique() % USERS));
  if (!expect(send(phone), 'sent', 200)) return;
  const code = codeFor(phone);
  const wrong = verify(phone, other(code), { responseCallback: http.expectedStatuses(400) });
  check(wrong, { 'wrong: two attempts left': (answer) => answer.status === 400 && answer.json('attempts_remaining') === 2 });
  expect(verify(phone, code), 'right', 200);
}

export const signIn = () => expect(login(madeEmail(unique() % USERS)), 'signed in', 200);

export const lookAt = (tokens) => expect(me(tokens[unique() % tokens.length]), 'me', 200);

// The scenarios of a frontend's mix, `perSecond` requests in all: signing up makes five of them, typing a code four.
export const mix = (perSecond, time) => Object.fromEntries(
  Object.entries({ lookAt: 0.8, sendCode: 0.1, verifyCode: 0.01, signIn: 0.03, signUp: 0.006 }).map(([exec, share]) => {
    const perMinute = Math.max(1, Math.round(perSecond * 60 * share));
    return [exec, arrivals(perMinute, time, { exec, timeUnit: '1m', preAllocatedVUs: 50 })];
  }),
);
