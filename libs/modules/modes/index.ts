/**
 * Holds the mode that all kernel processes share: normal, read-only or safe-mode, which the kernel enters by itself
 * when its database was restored to an older state.
 */
export { KERNEL_MODES, type KernelMode } from './domain/kernel-mode';
export { ModeError } from './domain/mode.error';
export { ModeWatch } from './mode-watch';
export { ModesModule } from './modes.module';
export { ReadOnlyHold } from './read-only-hold';
export { RestoredStore } from './restored-store';
