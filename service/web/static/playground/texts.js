/** Every string of the page, in Chinese and in English. Sentences about failures come from the service. */

import { preferences } from './preferences.js';

const TEXTS = {
  // Frame
  page_title: ['体验页 · 小程序 AI 后端', 'Playground · Mini-program AI backend'],
  brand: ['体验页', 'Playground'],
  new_chat: ['新对话', 'New chat'],
  pictures: ['图片', 'Pictures'],
  conversations: ['对话', 'Conversations'],
  no_conversations: ['还没有对话', 'No conversations yet'],
  more_conversations: ['更多', 'More'],
  untitled: ['（图片）', '(picture)'],
  delete_conversation: ['删除对话', 'Delete conversation'],
  delete_conversation_sure: ['删除这个对话？删除后无法恢复。', 'Delete this conversation? It cannot be undone.'],
  delete: ['删除', 'Delete'],
  cancel: ['取消', 'Cancel'],
  close: ['关闭', 'Close'],
  settings: ['设置', 'Settings'],
  switch_language: ['EN · Switch to English', '中 · 切换为中文'],
  other_language: ['EN', '中'],
  switch_theme: ['切换浅色/深色', 'Switch light or dark'],
  messages: ['消息', 'Messages'],
  earlier: ['更早的消息', 'Earlier messages'],
  to_the_end: ['回到底部', 'To the end'],
  offline: ['网络已断开，恢复后会自动继续', 'You are offline; it goes on by itself when the network is back'],
  fine_print: ['AI 生成的内容可能有误', 'Answers may be wrong'],
  api_docs: ['接口文档', 'API reference'],
  // Composer
  message: ['输入消息', 'Message'],
  ask_anything: ['输入消息，Enter 发送，Shift + Enter 换行', 'Ask anything. Enter sends, Shift + Enter breaks the line'],
  ask_anything_short: ['输入消息', 'Ask anything'],
  describe_picture: ['描述你想要的画面', 'Describe the picture you want'],
  mode: ['方式', 'Mode'],
  mode_chat: ['聊天', 'Chat'],
  mode_image: ['画图', 'Picture'],
  size: ['尺寸', 'Size'],
  count: ['数量', 'Count'],
  attach: ['添加图片', 'Add pictures'],
  drop_here: ['松开即可添加图片', 'Drop pictures to add them'],
  send: ['发送', 'Send'],
  stop: ['停止', 'Stop'],
  remove: ['移除', 'Remove'],
  only_pictures: ['只能添加 PNG、JPEG、WebP、GIF 图片', 'Only PNG, JPEG, WebP and GIF pictures can be added'],
  // Answers
  answering: ['正在回答', 'Answering'],
  answered: ['回答完毕', 'Answer complete'],
  drawing: ['正在画图', 'Drawing'],
  thinking: ['正在思考…', 'Thinking…'],
  reasoning: ['思考过程', 'Reasoning'],
  reasoning_for: ['思考过程 · {count} 秒', 'Reasoning · {count} s'],
  stopped: ['已停止', 'Stopped'],
  interrupted: ['回答被中断，内容不完整', 'Interrupted; this answer is not complete'],
  cut_short: ['已达长度上限，内容不完整', 'Cut at the length limit; this answer is not complete'],
  failed: ['这次没有成功', 'That did not work'],
  waiting: ['连接断开，正在重新连接…', 'Connection lost; reconnecting…'],
  copy: ['复制', 'Copy'],
  copied: ['已复制', 'Copied'],
  retry: ['重新回答', 'Try again'],
  tokens: ['{count} tokens', '{count} tokens'],
  picture: ['图片', 'Picture'],
  picture_coming: ['图片稍后显示', 'The picture comes at the end'],
  download: ['下载', 'Download'],
  previous: ['上一张', 'Previous'],
  next: ['下一张', 'Next'],
  code: ['代码', 'code'],
  task: ['任务', 'Task'],
  // An empty page
  greeting: ['今天想聊点什么？', 'What is on your mind?'],
  greeting_more: ['直接提问，或者从下面挑一个开始。', 'Ask away, or start with one of these.'],
  pictures_greeting: ['想画点什么？', 'What shall we draw?'],
  pictures_more: ['描述画面，选好尺寸和数量；也可以附上参考图。', 'Describe it, pick a size and a count; add reference pictures if you like.'],
  try_table: ['Markdown 与表格', 'Markdown and tables'],
  ask_table: ['用表格比较三种中国茶', 'Compare three teas in Markdown, with a table'],
  try_think: ['先思考，再回答', 'Reasoning first'],
  ask_think: ['思考一下：鸡兔同笼，35 个头、94 只脚，各几只？', 'Think it through: 35 heads and 94 feet, how many chickens and rabbits?'],
  try_draw: ['聊着天画一张', 'A picture in the chat'],
  ask_draw: ['画一座晨雾中的雪山', 'Draw an image of a snowy mountain in morning mist'],
  try_long: ['很长的回答', 'A very long answer'],
  ask_long: ['写一篇关于雨夜的长文', 'Write a long story about a rainy night'],
  try_slow: ['停止、断网、续传', 'Stop, drop, resume'],
  ask_slow: ['慢慢地从一数到六十', 'Count to sixty, slow and steady'],
  try_script: ['安全：脚本不会执行', 'Safe: scripts never run'],
  ask_script: ['给我看一段脚本注入的例子', 'Show me an example of script injection'],
  draw_mountain: ['晨雾中的雪山，水墨风格', 'Snowy mountains in morning mist, ink wash'],
  draw_city: ['雨后的霓虹街道，倒影', 'A neon street after rain, reflections'],
  draw_fox: ['一只在雪地里打盹的狐狸', 'A fox napping in the snow'],
  draw_tea: ['窗边的一杯热茶，清晨的光', 'A cup of tea by the window, early light'],
  // Profile
  profile: ['个人资料', 'Profile'],
  guest: ['访客', 'Guest'],
  nickname: ['昵称', 'Nickname'],
  avatar: ['头像地址（https）', 'Avatar address (https)'],
  email: ['邮箱', 'Email'],
  save: ['保存', 'Save'],
  saved: ['已保存', 'Saved'],
  usage: ['用量', 'Usage'],
  today: ['今天', 'Today'],
  total: ['累计', 'Total'],
  daily_quota: ['每日额度', 'Daily quota'],
  usage_turns: ['对话', 'Turns'],
  usage_tokens: ['Tokens', 'Tokens'],
  usage_images: ['图片', 'Pictures'],
  balance: ['上游余额', 'Upstream balance'],
  balance_left: ['余额 {count}', '{count} left'],
  balance_used: ['已用 {count}', '{count} used'],
  unlimited: ['不限额', 'Unlimited'],
  not_available: ['暂无', 'Not available'],
  // Settings
  identity: ['身份', 'Identity'],
  token_wanted: ['服务要求登录：请粘贴一个令牌。', 'This service asks who you are: please paste a token.'],
  token: ['令牌', 'Token'],
  token_hint: ['python run.py token OPENID 会打印一个；AUTH=required 时需要。', 'python run.py token OPENID prints one. Needed with AUTH=required.'],
  token_unreadable: ['这不是一个令牌', 'This is not a token'],
  openid: ['用户标识（openid）', 'User (openid)'],
  openid_hint: ['AUTH=local 或 open 时，可以用任意名字。', 'Any name will do with AUTH=local and open.'],
  use: ['使用', 'Use'],
  log_out: ['退出登录', 'Log out'],
  answers: ['回答', 'Answers'],
  model: ['模型', 'Model'],
  model_hint: ['留空即用默认模型；可选项由 OPENAI_MODELS 决定。', 'Empty: the default. OPENAI_MODELS says what else may be asked for.'],
  model_default: ['默认', 'Default'],
  appearance: ['外观', 'Appearance'],
  theme: ['主题', 'Theme'],
  theme_auto: ['跟随系统', 'System'],
  theme_light: ['浅色', 'Light'],
  theme_dark: ['深色', 'Dark'],
  language: ['语言', 'Language'],
  chinese: ['中文', '中文'],
  english: ['English', 'English'],
  your_data: ['你的数据', 'Your data'],
  clear_all: ['清空全部对话', 'Delete all conversations'],
  clear_all_sure: ['删除全部对话和图片记录？删除后无法恢复。', 'Delete all conversations and pictures? It cannot be undone.'],
  erase: ['删除我的全部数据', 'Delete everything about me'],
  erase_sure: ['对话、图片、资料和用量都会删除，无法恢复。', 'Conversations, pictures, profile and usage will be gone for good.'],
};

export function language() {
  return preferences.language || (navigator.language.startsWith('zh') ? 'zh' : 'en');
}

/** The text of a key; `{count}` in it is filled in. */
export function t(key, count = '') {
  return TEXTS[key][language() === 'zh' ? 0 : 1].replace('{count}', count);
}

/** Put the texts of their keys into an element and all below it. */
export function translate(root) {
  for (const element of [root, ...root.querySelectorAll('[data-text], [data-label], [data-hint]')]) {
    const { text, label, hint, count } = element.dataset;
    if (text) element.textContent = t(text, count);
    if (label) element.setAttribute('aria-label', t(label));
    if (label && element.matches('button, a')) element.title = t(label);
    if (hint) element.placeholder = t(hint);
  }
}

/** The page in the language of its reader. */
export function applyLanguage() {
  document.documentElement.lang = language() === 'zh' ? 'zh-CN' : 'en';
  translate(document.body);
}

const LOCALES = { zh: 'zh-CN', en: 'en' };

export function formatTime(ms) {
  const date = new Date(ms);
  const isToday = date.toDateString() === new Date().toDateString();
  const clock = { hour: '2-digit', minute: '2-digit' };
  return date.toLocaleString(LOCALES[language()], isToday ? clock : { month: 'short', day: 'numeric', ...clock });
}

export function formatNumber(number) {
  return number.toLocaleString(LOCALES[language()]);
}

/** Money, or the bare figure where the currency is not one that is known. */
export function formatMoney(amount, currency) {
  try {
    return amount.toLocaleString(LOCALES[language()], { style: 'currency', currency, currencyDisplay: 'narrowSymbol' });
  } catch (error) {
    return formatNumber(amount);
  }
}
