/** The mode that all kernel processes share: who may write now, who says so, and when the kernel goes to safe-mode by itself. */
export { KERNEL_MODES, type KernelMode, type ModeState } from './domain/kernel-mode';
export { ModeError, type ModeErrorCode } from './domain/mode.error';
export { ModeWatch } from './mode-watch';
export { ModesModule } from './modes.module';
export { ReadOnlyHold } from './read-only-hold';
export { RestoredStore } from './restored-store';
