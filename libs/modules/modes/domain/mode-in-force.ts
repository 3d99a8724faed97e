import { type KernelMode, KERNEL_MODES, type ModeChange } from './kernel-mode';

/** The latest change that the chain records, null before the first; untrusted: the rows that would say it are not genuine. */
export type ChainMode = { readonly version: number; readonly to: KernelMode } | 'untrusted' | null;

/** What is known about the mode, from places that different parties can write. */
export interface ModeFacts {
  /** The row that other processes read: anyone who can write to the database can change it. */
  readonly copy: KernelMode;
  /** The latest change that this kernel authenticated. */
  readonly latest: Pick<ModeChange, 'version' | 'to'> | null;
  /** Rows among the changes that this kernel did not make. */
  readonly forged: number;
  /** So many rows that not all were looked at: authentic ones may be out of sight behind forged ones. */
  readonly hidden: boolean;
  /** What the chain records, as far as it was read. */
  readonly chain: ChainMode;
  /** The latest change that this process has seen. */
  readonly known: { readonly version: number; readonly to: KernelMode } | null;
}

export interface ModeVerdict {
  readonly mode: KernelMode;
  /** Version of the latest change that anyone knows of; 0 before the first. */
  readonly version: number;
  /** What does not fit together, each a sentence for the operator; of what was forged or tampered with. */
  readonly problems: readonly string[];
}

/**
 * The mode in force: what the latest authenticated change says. What contradicts it can only tighten it: whoever puts
 * back an old row, or writes one, must not take the kernel out of safe-mode.
 */
export function modeInForce({ copy, latest, forged, hidden, chain, known }: ModeFacts): ModeVerdict {
  const problems: string[] = [];
  let mode: KernelMode = latest?.to ?? 'normal';
  const version = latest?.version ?? 0;
  if (forged > 0) {
    problems.push(
      `${forged} row(s) of kernel.mode_changes were not made by this kernel; they are not obeyed.`,
    );
    if (latest === null && hidden) mode = known?.to ?? 'safe-mode';
  }
  if (copy !== (latest?.to ?? 'normal')) {
    problems.push(
      `kernel.mode says ${copy}, but the latest authenticated change says ${latest?.to ?? 'normal'}.`,
    );
    mode = tighter(mode, copy);
  }
  if (known !== null && known.version > version) {
    problems.push(`kernel.mode_changes has lost change ${known.version}, which said ${known.to}.`);
    mode = tighter(mode, known.to);
  }
  if (chain === 'untrusted') mode = 'safe-mode';
  // A database that was restored to an older state: nothing is forged, and what the chain says holds.
  else if (chain !== null && chain.version > version) mode = tighter(mode, chain.to);
  const inChain = chain === 'untrusted' ? 0 : (chain?.version ?? 0);
  return { mode, version: Math.max(version, inChain, known?.version ?? 0), problems };
}

function tighter(a: KernelMode, b: KernelMode): KernelMode {
  return KERNEL_MODES.indexOf(a) > KERNEL_MODES.indexOf(b) ? a : b;
}
