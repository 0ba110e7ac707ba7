// One question and its answer on the screen. Knows nothing of the connection.

import { actions } from './actions.js';
import { element, questionButtons, wordButton } from './dom.js';
import { evidence } from './evidence.js';
import { say, unsay } from './locale.js';
import { Prose } from './markdown.js';

const NOTICES = { abort: 'stopped', length: 'cut', cut: 'brokenOff' };
const WAITING = { CHAT_CS: 'searching', QA_CS: 'searching', SUM_CS: 'summing', GEN_CS: 'writing' };

/**
 * A turn that shows a request and waits. `onGrow` is called after anything became taller.
 *
 * A request is `{event, text, upload_id, about}`; `about` is the name of the file that is asked.
 * States (`data-state` of `.answer`): waiting, streaming, done, error, interrupted.
 */
export class Turn {
  constructor(request, onGrow) {
    this.request = request;
    this.onGrow = onGrow;
    this.status = element('p', { class: 'status' });
    this.text = element('div', { class: 'text' });
    this.prose = new Prose(this.text);
    this.extras = element('div', { class: 'extras' });
    this.after = element('div', { class: 'after' });
    this.answer = element('div', { class: 'answer' }, this.text, this.status, this.extras, this.after);
    this.node = element('article', { class: 'turn' }, heading(request), this.answer);
    this.begin();
  }

  /** Empty the answer and wait; also used to ask the same again. */
  begin() {
    this.id = '';
    this.vote = '';
    this.material = '';
    this.drawing = false;
    this.prose.clear();
    this.extras.replaceChildren();
    this.after.replaceChildren();
    this.state('waiting');
    say(this.status, WAITING[this.request.event]);
  }

  state(name) {
    this.answer.dataset.state = name;
  }

  get running() {
    return ['waiting', 'streaming'].includes(this.answer.dataset.state);
  }

  /** Show the place in the queue; 0 is one's turn. */
  queued(position) {
    if (this.answer.dataset.state !== 'waiting') return;
    if (position > 0) say(this.status, 'waiting', { n: position });
    else say(this.status, WAITING[this.request.event]);
  }

  /** The connection is away for now: what has come stays, the rest will follow. */
  paused() {
    say(this.status, 'paused');
  }

  /** It goes on. */
  resumed() {
    if (this.answer.dataset.state === 'waiting') say(this.status, WAITING[this.request.event]);
    else if (this.running) unsay(this.status);
  }

  /** Append a piece of the answer; the pieces of one animation frame are drawn together. */
  append(delta) {
    if (!delta) return;
    this.prose.source += delta.replace(/\r\n?/g, '\n');
    if (this.running) {
      this.state('streaming');
      unsay(this.status);
    }
    if (this.drawing) return;
    this.drawing = true;
    requestAnimationFrame(() => {
      this.drawing = false;
      this.prose.draw();
      this.onGrow();
    });
  }

  /** Show what the answer rests on. The first and the last frame both say it; once is drawn. */
  grounded(received) {
    const material = JSON.stringify(received?.clue);
    if (material === this.material) return;
    this.material = material;
    const wasOpen = this.extras.querySelector('details')?.open;
    const grounds = evidence(received, this.request.text);
    this.extras.replaceChildren(...(grounds ? [grounds] : []));
    if (wasOpen && grounds) grounds.querySelector('details').open = true;
    this.onGrow();
  }

  /** End with a finish_reason other than `error`, and offer the questions that lie near. */
  finish(reason, received) {
    this.prose.draw(true);
    this.state('done');
    unsay(this.status);
    this.after.replaceChildren();
    if (NOTICES[reason]) this.after.append(say(element('p', { class: 'notice' }), NOTICES[reason]));
    if (reason === 'cut') this.after.append(again());
    if (this.prose.source) this.after.append(actions(this));
    const questions = (received?.alter ?? []).filter((words) => typeof words === 'string' && words);
    const refused = !received?.clue?.data?.length;
    if (questions.length) this.offer(questions, refused ? 'canAnswer' : 'related');
    this.onGrow();
  }

  /** Show a turn of the server's history. */
  restore(record) {
    this.id = record.request_id;
    this.vote = record.vote ?? '';
    const answer = record.answer ?? '';
    if (answer.length > this.prose.source.length) this.prose.source = answer;
    if (record.state === 'running') return;
    if (record.state === 'error' && !answer) this.fail('failed', record.error?.message);
    else {
      this.grounded(record);
      this.finish(record.state === 'error' ? 'cut' : record.state, record);
    }
  }

  /** What a screen reader should hear once the answer has ended. */
  spoken() {
    const ends = this.after.querySelectorAll('.notice, .problem p > *');
    return [this.text.innerText, ...Array.from(ends, (node) => node.textContent)].join(' ');
  }

  offer(questions, name) {
    const title = say(element('p', { class: 'label' }), name);
    const list = element('ul', { class: name === 'canAnswer' ? 'choices' : 'chips' });
    questionButtons(list, questions);
    this.after.append(element('div', { class: 'related' }, title, list));
  }

  /** End without an answer: `message` in plain words if there is one, else the string `key`. */
  fail(key, message, state = 'error') {
    this.prose.draw(true);
    this.state(state);
    unsay(this.status);
    const words = element('p', {}, say(element('strong'), key), message && element('span', {}, message));
    this.after.replaceChildren(element('div', { class: `problem ${state}` }, words, again()));
    this.onGrow();
  }
}

const again = () => wordButton('retry', { class: 'retry', 'data-retry': true }, 'retry');

/** The request as the reader made it; of a summary without words of its own, what was summarised. */
function heading({ event, text: words, about }) {
  const key = { SUM_CS: 'sumOf', GEN_CS: 'draftOf' }[event];
  const what = about ?? '';
  const label = key || what
    ? element('span', { class: 'about' }, key && say(element('span'), key), what && element('span', {}, what))
    : null;
  const shown = words && element('span', { class: 'words' }, words);
  const node = element('h2', { class: 'question' }, label, shown);
  if (words.length > 600) fold(node);
  return node;
}

/** A long text takes some lines only, until the reader wants to see it. */
function fold(node) {
  node.classList.add('long');
  const more = wordButton('showAll', { class: 'more', 'aria-expanded': 'false' });
  more.addEventListener('click', () => {
    const open = !node.classList.toggle('long');
    more.setAttribute('aria-expanded', String(open));
    say(more.firstChild, open ? 'showLess' : 'showAll');
  });
  node.append(more);
}

