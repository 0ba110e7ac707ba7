// Which words of a passage the question has too, so that they can be marked there.

const COMMON = new Set((
  '怎么 怎样 怎么办 什么 如何 哪里 哪些 哪个 多少 多久 多长 几天 应该 应当 可以 需要 能否 是否 请问 我们 你们 您好 '
  + '一下 一个 这个 那个 没有 为什么 时候 以及 或者 如果 就是 还是 不能 不是 我 你 您 他 的 了 吗 呢 么 吧 和 与 或 在 '
  + '是 有 要 能 会 不 被 把 对 为 到 从 后 办 the and for are was what how when where which who can does did may must '
  + 'should would could with from have has this that you your our not'
).split(' '));
const HAN = /\p{Script=Han}/u;
const WORD = /[\p{L}\p{N}]/u;
let segmenter = null;

/** `text` as nodes: whole words of it that stand in `question` as well, two characters or more, are marked. */
export function marked(text, question) {
  const asked = question.toLowerCase();
  const nodes = [];
  let plain = '';
  let found = ''; // words that follow each other in the question too
  const flush = () => {
    if (HAN.test(found) ? found.length > 1 : found.length > 2 || /\d/.test(found)) {
      const mark = document.createElement('mark');
      mark.textContent = found;
      nodes.push(plain, mark);
      plain = '';
    } else plain += found;
    found = '';
  };
  for (const word of words(text)) {
    const telling = WORD.test(word) && !COMMON.has(word.toLowerCase());
    if (!telling || !asked.includes((found + word).toLowerCase())) flush();
    if (telling && asked.includes(word.toLowerCase())) found += word;
    else plain += word;
  }
  flush();
  return [...nodes, plain].filter(Boolean);
}

function words(text) {
  if (!Intl.Segmenter) return text.match(/\p{Script=Han}|[^\p{Script=Han}\s]+|\s+/gu) ?? [];
  segmenter ??= new Intl.Segmenter('zh', { granularity: 'word' });
  return Array.from(segmenter.segment(text), ({ segment }) => segment);
}
