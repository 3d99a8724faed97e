/** The operator's commands behind ./kernel, the development stack among them. */
import { runCli } from './program';

// Not process.exit: what was written to a pipe must still arrive there.
void runCli(process.argv.slice(2)).then((code) => {
  process.exitCode = code;
});
