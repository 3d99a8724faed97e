export { KERNEL_MODES, type KernelMode, type ModeChange, type ModeState } from './domain/kernel-mode';
export { ModeError, type ModeErrorCode } from './domain/mode.error';
export { ModeRecorder } from './mode-recorder';
export { ModeStore } from './mode-store';
export { ModeWatch } from './mode-watch';
export { ModesModule } from './modes.module';
