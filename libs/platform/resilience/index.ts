/**
 * Tools that keep a process working when others are slow or unreachable: limits, deadlines, retries, pauses, a circuit
 * breaker.
 */
export { CircuitBreaker, type CircuitBreakerOptions } from './circuit-breaker';
export { answerWithin, stopAfter } from './deadline';
export { Limiter, type Patience } from './limiter';
export { Pace } from './pace';
export { GrowingPause, halfJitter, pause } from './pauses';
export { type RetryLimits, withRetries } from './retries';
