/**
 * Pages for people, in their browser: what the kernel has recorded and decided, and what they may do about it, over the
 * same API as services.
 */
import { start } from './shell/start';

start(document.getElementById('root'));
