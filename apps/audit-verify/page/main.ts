/**
 * tools/verify.html: the verifier as one page, opened from a disk. The same script is the page, the worker that judges
 * and the workers that inspect events.
 */
import { startPage } from './page';
import { serveInspection } from './inspection.worker';
import { serveVerdicts, VERDICT_WORKER } from './verdict.worker';

if (typeof document !== 'undefined') {
  startPage(document, document.currentScript?.textContent ?? '');
} else if (self.name === VERDICT_WORKER) {
  serveVerdicts();
} else {
  serveInspection();
}
