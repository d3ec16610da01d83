// The main job, over and over: register, send, the code from the SMS, verify, me.
import { ALL_GOOD, duration, vus } from '../lib/service.js';
import { signUp } from '../lib/journeys.js';

export const options = { vus: vus(2), duration: duration('10s'), thresholds: ALL_GOOD };

export default signUp;
