import { CircuitBreaker, type CircuitBreakerOptions, type Permit } from './circuit-breaker';

describe('CircuitBreaker', () => {
  let now: number;
  let changes: (string | null)[];
  const breaker = (options: CircuitBreakerOptions = {}) =>
    new CircuitBreaker({
      failuresToOpen: 3,
      openMs: 100,
      longestOpenMs: 400,
      onChange: (reason) => changes.push(reason),
      now: () => now,
      // The whole of each rest.
      random: () => 1,
      ...options,
    });
  const enter = (circuit: CircuitBreaker): Permit => {
    const permit = circuit.enter();
    if (!permit) throw new Error('the call was not let through');
    return permit;
  };
  const open = (circuit: CircuitBreaker): void => {
    for (let n = 0; n < 3; n++) enter(circuit).failed(`fault ${n}`);
  };
  beforeEach(() => {
    now = 0;
    changes = [];
  });

  it('opens after so many failures in a row, and says the last reason', () => {
    const circuit = breaker();
    open(circuit);
    expect(circuit.enter()).toBeNull();
    expect(circuit.openReason).toBe('fault 2');
    expect(changes).toEqual(['fault 2']);
  });

  it('does not count failures that are not in a row', () => {
    const circuit = breaker();
    for (let n = 0; n < 10; n++) {
      enter(circuit).failed('now and then');
      enter(circuit).failed('now and then');
      enter(circuit).succeeded();
    }
    expect(circuit.openReason).toBeNull();
  });

  it('lets one trial through after its rest, and closes when that succeeds', () => {
    const circuit = breaker();
    open(circuit);
    now = 99;
    expect(circuit.enter()).toBeNull();
    now = 100;
    const trial = enter(circuit);
    expect(circuit.enter()).toBeNull();
    trial.succeeded();
    expect(changes).toEqual(['fault 2', null]);
    enter(circuit).failed('one');
    expect(circuit.enter()).not.toBeNull();
  });

  it('rests twice as long after each trial that fails, up to a limit, and tells of the opening once', () => {
    const circuit = breaker();
    open(circuit);
    for (const rest of [100, 200, 400, 400]) {
      now += rest - 1;
      expect(circuit.enter()).toBeNull();
      now += 1;
      enter(circuit).failed('still');
    }
    expect(changes).toEqual(['fault 2']);
    expect(circuit.openReason).toBe('still');
  });

  it('spreads the trials of several replicas over the second half of the rest', () => {
    const circuit = breaker({ random: () => 0 });
    open(circuit);
    now = 49;
    expect(circuit.enter()).toBeNull();
    now = 50;
    expect(circuit.enter()).not.toBeNull();
  });

  it('pays no heed to calls that were made before it opened or closed', () => {
    const circuit = breaker();
    const late = [enter(circuit), enter(circuit)];
    open(circuit);
    late[0]?.succeeded();
    expect(circuit.enter()).toBeNull();
    now = 100;
    enter(circuit).succeeded();
    for (let n = 0; n < 3; n++) late[1]?.failed('long ago');
    expect(circuit.openReason).toBeNull();
  });

  it('counts a call once, whatever is reported of it', () => {
    const circuit = breaker();
    const permit = enter(circuit);
    for (let n = 0; n < 5; n++) permit.failed('again');
    expect(circuit.openReason).toBeNull();
  });

  it('lets another trial through when one said nothing about the backend', () => {
    const circuit = breaker();
    open(circuit);
    now = 100;
    enter(circuit).undecided();
    expect(circuit.openReason).toBe('fault 2');
    enter(circuit).succeeded();
    expect(circuit.openReason).toBeNull();
  });

  it('closes when something else has shown that the backend works', () => {
    const circuit = breaker();
    open(circuit);
    circuit.close();
    expect(circuit.openReason).toBeNull();
    expect([circuit.enter(), circuit.enter()]).not.toContain(null);
  });
});
