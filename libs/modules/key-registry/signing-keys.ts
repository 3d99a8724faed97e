import {
  Inject,
  Injectable,
  Logger,
  type OnApplicationBootstrap,
  type OnModuleDestroy,
} from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { type SignerPurpose } from '#evidence';
import { SignerError } from '#platform/signer';
import { RegisterSigners } from './register-signers.handler';
import {
  activeKey,
  type BackendKey,
  keysToRegister,
  NEEDED_PURPOSES,
  REGISTERED_PURPOSES,
} from './domain/registration';
import { BackendKeys } from './backend-keys';
import { KeyRegistryOptions } from './key-registry.options';
import { RegistryChanges } from './registry-changes';
import { RegisteredSigners } from './registered-signers';

/** Time until the backend is asked again while no key can sign yet. */
const RETRY_MS = 500;
/** Interval of comparing backend and registry again once keys are known. */
const REFRESH_MS = 15_000;

/**
 * Knows which key signs for which purpose now. Starts by itself and keeps trying: a kernel that starts before its
 * signing backend serves reads, refuses writes as `signing_unavailable`, and needs no restart when the backend comes.
 */
@Injectable()
export class SigningKeys implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly logger = new Logger(SigningKeys.name);
  private readonly active = new Map<SignerPurpose, BackendKey>();
  /** Names of the keys that may sign, in the order of their registration, as last looked up. */
  private order: readonly string[] = [];
  private reason = 'the signing backend has not been asked yet';
  private timer: NodeJS.Timeout | undefined;
  private running: Promise<void> = Promise.resolve();
  /** Whether the last comparison read both registry and backend. */
  private compared = false;
  private again: Promise<void> | undefined;
  private refreshing = false;
  private stopped = false;

  constructor(
    private readonly backend: BackendKeys,
    private readonly registered: RegisteredSigners,
    private readonly options: KeyRegistryOptions,
    @Inject(CommandBus) private readonly commands: CommandBus,
    private readonly changes: RegistryChanges,
  ) {}

  onApplicationBootstrap(): void {
    this.schedule(0);
    this.changes.onChange(() => void this.lookAgain());
  }

  async onModuleDestroy(): Promise<void> {
    this.stopped = true;
    clearTimeout(this.timer);
    await this.running;
  }

  /** @throws SignerError `signing_unavailable` with the reason, when no registered key can sign for this purpose */
  activeKey(purpose: SignerPurpose): BackendKey {
    const key = this.active.get(purpose);
    if (!key)
      throw new SignerError('signing_unavailable', `No key can sign for "${purpose}" now: ${this.reason}.`);
    return key;
  }

  /**
   * The key that signs after what `after` signed: the one in force, and never one that was registered before `after`.
   * Processes hear of a rotation one after the other; the first that signs with the new key takes all others along.
   * @throws SignerError `signing_unavailable` when the backend does not offer that key here
   */
  async keyAfter(purpose: SignerPurpose, after: string): Promise<BackendKey> {
    const known = this.activeKey(purpose);
    if (known.kid === after || this.isLater(known.kid, after)) return known;
    await this.lookAgain();
    const key = this.activeKey(purpose);
    // A key that has ended is no longer in the order, and the key in force comes after it.
    if (key.kid === after || !this.order.includes(after) || this.isLater(key.kid, after)) return key;
    throw new SignerError(
      'signing_unavailable',
      `The chain goes on with ${after}, which the signing backend does not offer here; give it that key.`,
    );
  }

  /** Whether `kid` is known to have been registered after `other`. */
  private isLater(kid: string, other: string): boolean {
    const at = this.order.indexOf(other);
    return at !== -1 && this.order.indexOf(kid) > at;
  }

  /** Compares registry and backend now. Settles when their state at the time of the call has been seen. */
  async lookAgain(): Promise<void> {
    // A comparison already in progress may have read the registry before.
    this.again ??= this.running.then(async () => {
      this.again = undefined;
      if (this.stopped) return;
      clearTimeout(this.timer);
      this.start();
      await this.running;
    });
    await this.again;
  }

  /**
   * The same for a caller that must not go on with what was known before.
   * @throws SignerError `signing_unavailable` when registry or backend could not be read
   */
  async knowLatest(): Promise<void> {
    await this.lookAgain();
    if (this.compared) return;
    throw new SignerError('signing_unavailable', `The keys may have changed, and ${this.reason}`);
  }

  /** Reason why a needed purpose has no key, or null when all have one. */
  problem(): string | null {
    return NEEDED_PURPOSES.every((purpose) => this.active.has(purpose)) ? null : this.reason;
  }

  /** Notes that another key answers under a registered name: nothing is signed until all keys are compared again. */
  distrust(reason: string): void {
    if (this.active.size === 0) return;
    this.active.clear();
    this.say(reason);
    if (!this.refreshing) this.schedule(0);
  }

  private schedule(delay: number): void {
    if (this.stopped) return;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.start(), delay);
    this.timer.unref();
  }

  private start(): void {
    this.refreshing = true;
    this.running = this.refresh().then(() => {
      this.refreshing = false;
      this.schedule(this.problem() === null ? REFRESH_MS : RETRY_MS);
    });
  }

  private async refresh(): Promise<void> {
    try {
      const offered = await this.backend.keys();
      await this.registerFirstKeys(offered);
      const signers = await this.registered.signers({ fresh: true });
      this.order = signers.filter(({ status }) => status === 'active').map(({ signer_kid }) => signer_kid);
      for (const purpose of REGISTERED_PURPOSES) {
        const key = activeKey(purpose, signers, offered);
        if (key) this.active.set(purpose, key);
        else this.active.delete(purpose);
      }
      this.compared = true;
      this.explain(offered, !signers.some(({ purposes }) => purposes.includes('audit')));
    } catch (error) {
      // Known keys stay in use until a fence says that they may have changed.
      this.compared = false;
      this.say(error instanceof Error ? error.message : String(error));
    }
  }

  private async registerFirstKeys(offered: BackendKey[]): Promise<void> {
    const known = await this.registered.signers({ fresh: true });
    const now = this.options.now().toISOString();
    const toRegister = keysToRegister(known, offered, now, this.options.firstAuditKid);
    if (toRegister.length === 0) return;
    const first = toRegister.find(({ purposes }) => purposes.includes('audit'));
    const auditKey =
      activeKey('audit', known, offered) ?? offered.find(({ kid }) => kid === first?.signer_kid);
    if (!auditKey) return;
    await this.commands.execute(new RegisterSigners(toRegister, auditKey));
    this.logger.log(`registered ${toRegister.map(({ signer_kid }) => signer_kid).join(', ')}`);
  }

  private explain(offered: BackendKey[], isNew: boolean): void {
    const missing = NEEDED_PURPOSES.filter((purpose) => !this.active.has(purpose));
    if (missing.length === 0) return;
    const kids = offered.map(({ kid }) => kid).join(', ') || 'no key';
    const { firstAuditKid } = this.options;
    if (isNew && firstAuditKid !== undefined && !offered.some(({ kid }) => kid === firstAuditKid)) {
      this.say(
        `SIGNER_ID names ${firstAuditKid}, and the signing backend offers ${kids}; correct one of the two`,
      );
      return;
    }
    this.say(
      `the signing backend offers ${kids}, none of which is an active registered key for ${missing.join(' and ')}; ` +
        `give it back the registered key, or register the new one by a rotation`,
    );
  }

  private say(reason: string): void {
    if (reason !== this.reason) this.logger.warn(reason);
    this.reason = reason;
  }
}
