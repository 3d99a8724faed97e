import { type Board } from './board';
import { append } from './boards/append';
import { governance } from './boards/governance';
import { log } from './boards/log';
import { overview } from './boards/overview';
import { pipeline } from './boards/pipeline';
import { resources } from './boards/resources';
import { signing } from './boards/signing';

export const boards: readonly Board[] = [overview, signing, append, pipeline, log, governance, resources];
