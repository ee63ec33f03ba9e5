"""The texts of the demo's replies, each in Chinese and in English. When one is said is decided elsewhere."""

from __future__ import annotations

from typing import Final, NamedTuple


class Text(NamedTuple):
    zh: str
    en: str


HELLO: Final = Text(
    zh="""\
你好！👋 这是**演示模式**：没有密钥、也不联网，聊天、流式输出、画图和余额都能试。

{heard}

把下面任意一个词发给我，看看页面怎么显示：

| 发送 | 会看到 |
|---|---|
| `表格` | 标题、表格、列表和代码 |
| `思考` | 先推理，再回答 |
| `画 一座雪山` | 聊天里的图片 |
| `长文` | 约 100 KB 的回复 |
| `慢` | 每秒一小段，正好试试停止和断线续传 |
| `表情` | emoji 和组合字符 |
| `脚本` | 满是脚本的回复，页面不应执行 |
| `错误` | 上游出错时的样子 |

填好 `OPENAI_API_KEY`，去掉 `--demo`，回答的就是真正的模型了。
""",
    en="""\
Hello! 👋 This is **demo mode**: without a key and without a network you can try chat, streaming, pictures and balance.

{heard}

Send me any of these words and see how the page shows the answer:

| Send | You will see |
|---|---|
| `markdown` | headings, a table, lists and code |
| `think` | reasoning first, then the answer |
| `image of a snowy mountain` | a picture in the chat |
| `long` | a reply of about 100 KB |
| `slow` | a piece every second: try stop, or pull the plug and come back |
| `emoji` | emoji and combining characters |
| `script` | a reply full of scripts, none of which should run |
| `error` | what a failing upstream looks like |

Set `OPENAI_API_KEY` and leave out `--demo`, and a real model answers.
""",
)

HEARD: Final = Text(
    zh="你刚才说（上下文里共 {messages} 条消息）：", en="You said ({messages} messages in the context):"
)
HEARD_NOTHING: Final = Text(zh="（这条消息里没有文字。）", en="(There was no text in your message.)")

MARKDOWN: Final = Text(
    zh="""\
## 一份小小的 Markdown 样张

**粗体**、*斜体*、~~删除线~~、`行内代码`，还有[一个链接](https://www.python.org/)。

### 表格

| 城市 | 气温 | 天气 |
|:---|---:|:---:|
| 北京 | 26 ℃ | ☀️ 晴 |
| 上海 | 24 ℃ | 🌦️ 小雨 |
| 广州 | 31 ℃ | ⛅ 多云 |

### 列表

1. 先把水烧开
2. 再放茶叶
   - 绿茶：80 ℃
   - 红茶：95 ℃
3. 等三分钟

- [x] 已完成
- [ ] 待办

> 纸上得来终觉浅，绝知此事要躬行。——陆游

### 代码

```python
def fibonacci(count: int) -> list[int]:
    \"\"\"前 count 个斐波那契数。\"\"\"
    numbers = [0, 1]
    while len(numbers) < count:
        numbers.append(numbers[-2] + numbers[-1])
    return numbers[:count]


print(fibonacci(10))  # [0, 1, 1, 2, 3, 5, 8, 13, 21, 34]
```

---

就到这里。
""",
    en="""\
## A small specimen of Markdown

**Bold**, *italic*, ~~struck out~~, `inline code`, and [a link](https://www.python.org/).

### Table

| City | Temperature | Weather |
|:---|---:|:---:|
| Oslo | 12 °C | 🌦️ showers |
| Lisbon | 27 °C | ☀️ sunny |
| Nairobi | 22 °C | ⛅ cloudy |

### Lists

1. Boil the water
2. Add the tea
   - green: 80 °C
   - black: 95 °C
3. Wait three minutes

- [x] done
- [ ] still to do

> Simplicity is prerequisite for reliability. — Edsger W. Dijkstra

### Code

```python
def fibonacci(count: int) -> list[int]:
    \"\"\"The first numbers of Fibonacci's sequence.\"\"\"
    numbers = [0, 1]
    while len(numbers) < count:
        numbers.append(numbers[-2] + numbers[-1])
    return numbers[:count]


print(fibonacci(10))  # [0, 1, 1, 2, 3, 5, 8, 13, 21, 34]
```

---

That is all.
""",
)

REASONING: Final = Text(
    zh="""\
题目：笼子里有鸡和兔，共 35 个头、94 只脚，各有几只？
先假设全是鸡：35 × 2 = 70 只脚，比 94 少了 24 只。
每把一只鸡换成一只兔，就多 2 只脚：24 ÷ 2 = 12。
所以兔 12 只，鸡 35 − 12 = 23 只。验算：23 × 2 + 12 × 4 = 46 + 48 = 94，对。
""",
    en="""\
The puzzle: chickens and rabbits share a cage, 35 heads and 94 feet. How many of each?
Suppose all were chickens: 35 × 2 = 70 feet, which is 24 short of 94.
Each chicken exchanged for a rabbit adds 2 feet: 24 ÷ 2 = 12.
So 12 rabbits and 35 − 12 = 23 chickens. Check: 23 × 2 + 12 × 4 = 46 + 48 = 94. Right.
""",
)
REASONED: Final = Text(
    zh="**鸡 23 只，兔 12 只。**\n\n推理过程在上面折叠着，点开就能看到。",
    en="**23 chickens and 12 rabbits.**\n\nThe reasoning is folded above; open it to follow the steps.",
)

PICTURE: Final = Text(
    zh="好的，这就画。\n\n![{alt}]({url})\n\n[下载图片]({url})",
    en="Here you are.\n\n![{alt}]({url})\n\n[Download]({url})",
)

SLOW: Final = Text(zh="第 {second} 秒……\n\n", en="Second {second} ...\n\n")

EMOJI: Final = Text(
    zh="""\
- 一个字、多个码位：👩‍👩‍👧‍👦 👩🏽‍🚀 🏳️‍🌈 🇨🇳 1️⃣
- 组合字符：e\u0301 和 é，ń̂，Z͑ͫ̓a̴l̷g̸o̵
- 生僻字：𠮷野家的𠮷，𪚥，龘
- 从右到左：العربية، עברית
- 数学与符号：∑ ∞ ≠ → ½ ℃ № ①
- 全角与半角：ＡＢＣ ABC，「引号」，…… ——
- 零宽：a\u200bb\u200dc\ufeffd
""",
    en="""\
- One glyph, many code points: 👩‍👩‍👧‍👦 👩🏽‍🚀 🏳️‍🌈 🇳🇴 1️⃣
- Combining characters: e\u0301 and é, ń̂, Z͑ͫ̓a̴l̷g̸o̵
- Beyond the basic plane: 𠮷 𝒜 𝕏 𐍈 🜁
- Right to left: العربية، עברית
- Mathematics and signs: ∑ ∞ ≠ → ½ ℃ № ①
- Full width and half width: ＡＢＣ ABC
- Zero width: a\u200bb\u200dc\ufeffd
""",
)

SCRIPT: Final = Text(
    zh="这条回复里满是脚本。页面应当把它们当作文字显示，或者丢掉，**一个也不执行**：\n\n{attacks}\n以上都没有执行，就对了。",
    en="This reply is full of scripts. The page should show or drop them and **run none**:\n\n{attacks}\n"
    "If nothing happened, all is well.",
)
ATTACKS: Final = """\
<script>document.title = "xss"; window.xss = 1</script>

<img src="x" onerror="window.xss = 2">

<svg onload="window.xss = 3"><script>window.xss = 4</script></svg>

<iframe srcdoc="<script>parent.xss = 5</script>"></iframe>

[link](javascript:window.xss=6) and ![picture](javascript:window.xss=7)

<a href="data:text/html,<script>window.xss=8</script>" onclick="window.xss=9">anchor</a>

<form action="javascript:window.xss=10"><button formaction="javascript:window.xss=11">button</button></form>

<style>body { display: none }</style><base href="https://attacker.invalid/">

<math><mi xlink:href="javascript:window.xss=12">x</mi></math>

```html
<script>window.xss = 13</script>
```

"""

RECEIVED: Final = Text(
    zh="收到 {count} 张图片：\n\n{pictures}\n\n{heard}", en="I received {count} picture(s):\n\n{pictures}\n\n{heard}"
)
INLINE: Final = Text(zh="- 第 {number} 张：{type}，{size}", en="- number {number}: {type}, {size}")
LINKED: Final = Text(zh="- 第 {number} 张：来自 {host} 的链接", en="- number {number}: a link to {host}")

CHAPTER: Final = Text(zh="## 第 {number} 章\n\n", en="## Chapter {number}\n\n")
PARAGRAPH: Final = Text(
    zh="夜里下过一场小雨，石板路还是湿的。他把门推开一条缝，看见院子里的桂花落了一地，金黄的，像谁撒下的一把碎星。"
    "远处有人在扫街，扫帚一下一下，不紧不慢，像是在替这座城数着时辰。他想，再等一等，等天亮了，就什么都清楚了。\n\n",
    en="It had rained a little in the night and the flagstones were still wet. He opened the door by a hand's breadth "
    "and saw the courtyard strewn with blossom, as if someone had dropped a fistful of small stars. Far off a broom "
    "went to and fro, unhurried, counting the hours for the whole town. A little longer, he thought; at daybreak all "
    "is plain.\n\n",
)

BEFORE_FAILURE: Final = Text(
    zh="我先说几句，然后上游就会出错，这条回复到此",
    en="A few words come first, and then the upstream fails, so this reply breaks off",
)
