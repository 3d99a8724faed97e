export { ConfigError, type ConfigErrorCode, type ConfigProblem } from './config-error';
export {
  defineConfig,
  type Config,
  type ConfigDefinition,
  type ConfigOf,
  type MemberDefinition,
  type MemberDefinitions,
} from './define-config';
export { loadConfig, loadPart, type Environment } from './load-config';
export {
  certificateFile,
  flag,
  json,
  list,
  matching,
  oneOf,
  path,
  port,
  readableFile,
  settingType,
  text,
  url,
  decimal,
  wholeNumber,
  type SettingType,
} from './setting-types';
export { configurationPage } from './configuration-page';
