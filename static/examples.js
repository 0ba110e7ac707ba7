// Questions to begin with. The knowledge base is Chinese, so the English page asks in Chinese too
// and says what it means. The first four are shown, on a hall's screen all of them.

export const EXAMPLES = [
  { text: '身份证丢了应该怎么办？', en: 'I lost my identity card. What should I do?' },
  { text: '办营业执照要多长时间？', en: 'How long does a business licence take?' },
  { text: '驾驶证到期了怎么换证？', en: 'How do I renew my driving licence?' },
  { text: '护照几天能办好？', en: 'How many days does a passport take?' },
  { text: '居住证需要什么材料？', en: 'What do I need for a residence permit?' },
  { text: '公积金怎么提取？', en: 'How do I withdraw from the housing fund?' },
];
