import { csvReport } from '../report/csv-report';
import { htmlReport, reportBody } from '../report/html-report';
import { FILE_KINDS, type FileKind, kindOf } from '../verdict/files/file-kind';
import { type FileVerdict, type GivenFile, type Said } from '../verdict/files/verify-files';
import { INSPECTION_WORKER, type InspectionStart } from './inspection.worker';
import { VERDICT_WORKER, type VerdictAnswer, type VerdictRequest } from './verdict.worker';

/** Lines shown of a verdict; all of them are in the report. */
const SHOWN_LINES = 1_000;

/** Makes the page work. @param script the text of this program, which the workers run too */
export function startPage(document: Document, script: string): void {
  new Page(document, URL.createObjectURL(new Blob([script], { type: 'text/javascript' })));
}

class Page {
  private readonly form: HTMLFormElement;
  private readonly list: HTMLTableElement;
  private readonly state: HTMLElement;
  private readonly progress: HTMLProgressElement;
  private readonly results: HTMLElement;
  private readonly verify: HTMLButtonElement;
  private readonly stop: HTMLButtonElement;
  private files: GivenFile[] = [];
  private workers: Worker[] = [];

  constructor(
    private readonly document: Document,
    private readonly script: string,
  ) {
    this.form = this.element('form', HTMLFormElement);
    this.list = this.element('list', HTMLTableElement);
    this.state = this.element('state', HTMLElement);
    this.progress = this.element('progress', HTMLProgressElement);
    this.results = this.element('results', HTMLElement);
    this.verify = this.element('verify', HTMLButtonElement);
    this.stop = this.element('stop', HTMLButtonElement);
    const chooser = this.element('files', HTMLInputElement);
    chooser.addEventListener('change', () => {
      void this.add([...(chooser.files ?? [])]).then(() => (chooser.value = ''));
    });
    const drop = this.element('drop', HTMLElement);
    const over = (event: DragEvent): void => {
      event.preventDefault();
      drop.classList.toggle('over', event.type === 'dragover');
    };
    // Everywhere: a file that is dropped beside the field would replace the page.
    document.addEventListener('dragover', over);
    document.addEventListener('dragleave', over);
    document.addEventListener('drop', (event) => {
      over(event);
      void this.add([...(event.dataTransfer?.files ?? [])]);
    });
    this.form.addEventListener('submit', (event) => {
      event.preventDefault();
      this.start();
    });
    this.stop.addEventListener('click', () => this.end('Stopped: nothing was verified.'));
  }

  private async add(files: readonly File[]): Promise<void> {
    for (const content of files) {
      const given = { name: content.name, content, kind: await kindOf(content) };
      this.files = [...this.files.filter(({ name }) => name !== given.name), given];
    }
    this.showFiles();
  }

  private showFiles(): void {
    this.list.hidden = this.files.length === 0;
    const rows = this.files.map((file) => {
      const row = this.document.createElement('tr');
      const choice = this.document.createElement('select');
      choice.setAttribute('aria-label', `What ${file.name} is`);
      for (const [kind, words] of Object.entries(FILE_KINDS)) {
        const option = this.document.createElement('option');
        option.value = kind;
        option.textContent = words;
        option.selected = kind === file.kind;
        choice.append(option);
      }
      choice.addEventListener('change', () => (file.kind = choice.value as FileKind));
      const remove = this.button('Remove', () => {
        this.files = this.files.filter((one) => one !== file);
        this.showFiles();
      });
      remove.setAttribute('aria-label', `Remove ${file.name}`);
      for (const content of [file.name, sizeText(file.content.size), choice, remove]) {
        const cell = this.document.createElement('td');
        cell.append(content);
        row.append(cell);
      }
      return row;
    });
    this.list.tBodies[0]?.replaceChildren(...rows);
  }

  private start(): void {
    this.results.replaceChildren();
    const worker = this.newWorker(VERDICT_WORKER);
    this.verify.disabled = true;
    this.stop.hidden = false;
    this.progress.hidden = false;
    this.progress.value = 0;
    this.state.textContent = 'Verifying\u2026';
    const began = performance.now();
    const size = this.files.find(({ kind }) => kind === 'export')?.content.size ?? 0;
    worker.addEventListener('message', ({ data }: MessageEvent<VerdictAnswer>) => {
      if ('bytes' in data) {
        this.progress.value = size === 0 ? 0 : data.bytes / size;
        const rate = Math.round((data.events * 1_000) / (performance.now() - began));
        this.state.textContent = `Verifying\u2026 ${count(data.events)} events, ${count(rate)}/s`;
      } else if ('verdicts' in data) {
        const seconds = ((performance.now() - began) / 1_000).toFixed(1);
        const good = data.verdicts.every(({ verified }) => verified);
        this.end(`${good ? 'Verified' : 'NOT verified'}, after ${seconds} s.`);
        const madeAt = new Date().toISOString();
        for (const verdict of data.verdicts) this.show(verdict, madeAt);
      } else {
        this.end(data.usage ? 'Nothing was verified.' : 'This program failed; nothing was verified.');
        this.results.append(this.text('p', data.error, 'problem'));
      }
    });
    const fields = new FormData(this.form);
    const said = Object.fromEntries(
      ['origin', 'shards', 'firstPool', 'heads'].map((name) => [name, textIn(fields, name)]),
    ) as unknown as Said;
    const inspectors = Array.from({ length: Math.max(1, navigator.hardwareConcurrency) }, () => {
      const { port1, port2 } = new MessageChannel();
      const start: InspectionStart = { port: port1 };
      this.newWorker(INSPECTION_WORKER).postMessage(start, [port1]);
      return port2;
    });
    const request: VerdictRequest = { inspectors, files: this.files, said };
    worker.postMessage(request, inspectors);
  }

  private newWorker(name: string): Worker {
    const worker = new Worker(this.script, { name });
    worker.addEventListener('error', ({ message }) => {
      this.end('This program failed; nothing was verified.');
      this.results.append(this.text('p', message, 'problem'));
    });
    this.workers.push(worker);
    return worker;
  }

  private end(words: string): void {
    for (const worker of this.workers.splice(0)) worker.terminate();
    this.verify.disabled = false;
    this.stop.hidden = true;
    this.progress.hidden = true;
    this.state.textContent = words;
  }

  private show({ what, verified, lines, json, report }: FileVerdict, madeAt: string): void {
    const section = this.document.createElement('section');
    const facts = report === null ? null : { report, madeAt, source: 'an export' };
    if (facts === null) {
      section.append(
        this.text('h1', what),
        this.text('p', `Made at ${madeAt} by verify.html.`, 'note'),
        this.text('p', verified ? 'Verified.' : 'Not verified.', `verdict ${verified ? 'good' : 'bad'}`),
        this.linesOf(lines),
      );
    } else {
      // Every text of the evidence is escaped in it, as in the report that is saved.
      section.innerHTML = reportBody(facts);
      const printed = this.document.createElement('details');
      printed.append(this.text('summary', 'As audit-verify.js prints it'), this.linesOf(lines));
      section.append(printed);
    }
    const actions = this.document.createElement('p');
    actions.className = 'actions';
    actions.append(
      this.button('Print', () => window.print()),
      ' ',
      this.button('Save as JSON', () => this.save('report.json', 'application/json', jsonText(madeAt, json))),
    );
    if (facts !== null) {
      actions.append(
        ' ',
        this.button('Save as HTML', () => this.save('report.html', 'text/html', htmlReport(facts))),
        ' ',
        this.button('Save as CSV', () => this.save('report.csv', 'text/csv', csvReport(facts))),
      );
    }
    section.append(actions);
    this.results.append(section);
  }

  private linesOf(lines: readonly string[]): HTMLElement {
    const more = lines.length - SHOWN_LINES;
    const shown = lines.slice(0, SHOWN_LINES);
    return this.text('pre', [...shown, ...(more > 0 ? [`and ${count(more)} more`] : [])].join('\n'));
  }

  private save(name: string, type: string, text: string): void {
    const link = this.document.createElement('a');
    link.href = URL.createObjectURL(new Blob([text], { type }));
    link.download = name;
    link.click();
    // The browser has begun to read it by then.
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
  }

  private button(words: string, then: () => void): HTMLButtonElement {
    const button = this.document.createElement('button');
    button.type = 'button';
    button.textContent = words;
    button.addEventListener('click', then);
    return button;
  }

  private text(tag: 'h1' | 'p' | 'pre' | 'summary', content: string, name = ''): HTMLElement {
    const element = this.document.createElement(tag);
    element.textContent = content;
    if (name !== '') element.className = name;
    return element;
  }

  private element<T extends HTMLElement>(id: string, type: abstract new () => T): T {
    const found = this.document.getElementById(id);
    if (!(found instanceof type)) throw new Error(`the page has no ${id}`);
    return found;
  }
}

function textIn(fields: FormData, name: string): string {
  const value = fields.get(name);
  return typeof value === 'string' ? value.trim() : '';
}

function jsonText(madeAt: string, json: object): string {
  return `${JSON.stringify({ madeAt, ...json }, null, 2)}\n`;
}

function count(n: number): string {
  return n.toLocaleString('en-US');
}

function sizeText(bytes: number): string {
  return bytes < 10_000 ? `${count(bytes)} bytes` : `${count(Math.round(bytes / 1_000))} kB`;
}
