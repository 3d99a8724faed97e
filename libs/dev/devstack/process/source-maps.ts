/**
 * Loaded by node's --require before a program: stack traces name the sources. `--enable-source-maps` does so too, but
 * reads the maps of all packages at the start, a tenth of its time.
 */
import { setSourceMapsSupport } from 'node:module';

setSourceMapsSupport(true);
