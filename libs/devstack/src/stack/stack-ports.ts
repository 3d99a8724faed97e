/** Every port of a stack on one machine. */
export interface StackPorts {
  /** One entry per kernel process. */
  kernels: readonly { api: number; management: number }[];
  /** Web front for people; nothing listens there yet. */
  web: number;
  signingProxy: number;
  signingProxyManagement: number;
  postgres: number;
}

/** The first of the ports that `--port-base` moves. */
export const DEFAULT_PORT_BASE = 8440;
/** The highest offset in use, so that the base can be checked. */
const HIGHEST_OFFSET = 10;
export const MAX_PORT_BASE = 65_535 - HIGHEST_OFFSET;

/** The offsets are part of the launcher's contract (docs/getting-started.md): scripts and people rely on them. */
export function portsFrom(base: number): StackPorts {
  return {
    web: base,
    kernels: [{ api: base + 3, management: base + 4 }],
    signingProxy: base + 5,
    postgres: base + 6,
    signingProxyManagement: base + HIGHEST_OFFSET,
  };
}
