// One question and its answer on the screen. Knows nothing of the connection.

import { element, icon, questionButtons } from './dom.js';
import { evidence } from './evidence.js';
import { say, unsay } from './locale.js';

const NOTICES = { abort: 'stopped', length: 'cut' };

/**
 * A turn that shows `question` and waits. `onGrow` is called after anything became taller.
 *
 * States (`data-state` of `.answer`): waiting, streaming, done, error, interrupted.
 */
export class Turn {
  constructor(question, onGrow) {
    this.question = question;
    this.onGrow = onGrow;
    this.status = element('p', { class: 'status' });
    this.textNode = document.createTextNode('');
    this.text = element('div', { class: 'text' }, this.textNode);
    this.extras = element('div', { class: 'extras' });
    this.after = element('div', { class: 'after' });
    this.answer = element('div', { class: 'answer' }, this.status, this.text, this.extras, this.after);
    this.node = element('article', { class: 'turn' }, element('h2', { class: 'question' }, question), this.answer);
    this.begin();
  }

  /** Empty the answer and wait; also used to ask the same again. */
  begin() {
    this.pending = '';
    this.material = '';
    this.textNode.data = '';
    this.extras.replaceChildren();
    this.after.replaceChildren();
    this.state('waiting');
    say(this.status, 'searching');
  }

  state(name) {
    this.answer.dataset.state = name;
  }

  /** Show the place in the queue; 0 is one's turn. */
  queued(position) {
    if (this.answer.dataset.state !== 'waiting') return;
    if (position > 0) say(this.status, 'waiting', { n: position });
    else say(this.status, 'searching');
  }

  /** Append a piece of the answer; the pieces of one animation frame are drawn together. */
  append(delta) {
    if (!delta) return;
    if (!this.pending) requestAnimationFrame(() => this.draw());
    this.pending += delta;
    if (this.answer.dataset.state === 'waiting') {
      this.state('streaming');
      unsay(this.status);
    }
  }

  draw() {
    if (!this.pending) return;
    this.textNode.appendData(this.pending);
    this.pending = '';
    this.onGrow();
  }

  /** Show what the answer rests on. The first and the last frame both say it; once is drawn. */
  grounded(received) {
    const material = JSON.stringify(received?.clue);
    if (material === this.material) return;
    this.material = material;
    const wasOpen = this.extras.querySelector('details')?.open;
    const grounds = evidence(received);
    this.extras.replaceChildren(...(grounds ? [grounds] : []));
    if (wasOpen && grounds) grounds.querySelector('details').open = true;
    this.onGrow();
  }

  /** End with a finish_reason other than `error`, and offer the questions that lie near. */
  finish(reason, received) {
    this.draw();
    this.state('done');
    unsay(this.status);
    if (NOTICES[reason]) this.after.append(say(element('p', { class: 'notice' }), NOTICES[reason]));
    const questions = (received?.alter ?? []).filter((text) => typeof text === 'string' && text);
    const refused = !received?.clue?.data?.length;
    if (questions.length) this.offer(questions, refused ? 'canAnswer' : 'related');
    this.onGrow();
  }

  /** What a screen reader should hear once the answer has ended. */
  spoken() {
    const ends = this.after.querySelectorAll('.notice, .problem p > *');
    return [this.textNode.data, ...Array.from(ends, (node) => node.textContent)].join(' ');
  }

  offer(questions, heading) {
    const title = say(element('p', { class: 'label' }), heading);
    const list = element('ul', { class: heading === 'canAnswer' ? 'choices' : 'chips' });
    questionButtons(list, questions.map((text) => ({ text })));
    this.after.append(element('div', { class: 'related' }, title, list));
  }

  /** End without an answer: `message` in plain words if there is one, else the string `key`. */
  fail(key, message, state = 'error') {
    this.draw();
    this.state(state);
    unsay(this.status);
    const words = element('p', {}, say(element('strong'), key), message && element('span', {}, message));
    const retry = element('button', { type: 'button', class: 'retry', 'data-retry': true }, icon('retry'));
    retry.append(say(element('span'), 'retry'));
    this.after.replaceChildren(element('div', { class: `problem ${state}` }, words, retry));
    this.onGrow();
  }
}

/** Turns that are over, folded into one line, for example at a new dialogue. */
export function folded(turns) {
  const summary = element('summary', {}, icon('fold'));
  summary.append(say(element('span'), 'earlier', { n: turns.length }));
  return element('details', { class: 'earlier' }, summary, ...turns);
}
