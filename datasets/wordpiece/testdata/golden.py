#!/usr/bin/env python3
"""Writes golden.json: tokens of many strings by the tokenizers library, for two vocabularies.

usage: golden.py VOCAB_DIR      with bert-base-uncased-vocab.txt and bert-base-chinese-vocab.txt; needs tokenizers

Only the part of the vocabularies that the strings need is kept: all tokens that are a piece, in either form, of a word of a string.
The library gives the same tokens with the part as with the whole, which is checked."""
import json, os, random, sys
import tokenizers
from tokenizers import BertWordPieceTokenizer

SPECIALS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
rng = random.Random(1)
S = ["", " ", "\t\n\r ", "a", "A", "I", "."]
S += """I really loved this film, from start to finish!
It's not bad... but it isn't good either; I'd give it 3/5.
The cinematography was breathtaking, the plot unbelievably predictable.
Don't waste your $12.50 on this!!!
umm (stutter) I, I mean -- what were they thinking?
"Well," she said, "that's that."
E-mail me at someone@example.com or visit https://example.com/a?b=c&d=e#f.
C++ and C# aren't film titles; R2-D2 is a character.
The 1980s' best-known anti-hero, 007, returns in '85.
Antidisestablishmentarianism floccinaucinihilipilification pneumonoultramicroscopicsilicovolcanoconiosis
100% of 1,000,000 viewers; 50°C; ±3σ; x² + y² = z²; ½ cup; №5; ™®©
HELLO WORLD hello world HeLLo WoRLd
tokenization untokenizable retokenized detokenizers
so so sooooooo boring zzzzzzzz aaaaaaargh
he's she'd they'll we've I'm you're o'clock rock'n'roll
... --- ___ *** === ~~~ ``` ''' \"\"\" <<< >>> ||| \\\\\\
a.b.c a,b,c a/b/c a_b_c a-b-c a+b+c a=b=c a^b^c a`b`c a~b~c
(a)[b]{c}<d>|e|\\f/
\u00abguillemets\u00bb \u201cquotes\u201d \u2018single\u2019 \u2014 em \u2013 en \u2026 ellipsis \u00bfque? \u00a1si!
\u00a3100 \u20ac200 \u00a5300 \u20b9400 \u20bf5 \u00a26 \u20a97
\u221a2 \u2248 1.414 \u2260 \u221e \u2211 \u222b \u2202 \u00d7 \u00f7 \u2264 \u2265 \u2190 \u2192 \u21d2
caf\u00e9 cafe\u0301 na\u00efve na\u0131ve r\u00e9sum\u00e9 \u00c5ngstr\u00f6m A\u030angstro\u0308m \u00f1o\u00f1o
\u0130stanbul I\u0307stanbul \u0131stanbul D\u0130YARBAKIR
Stra\u00dfe STRASSE \u1e9e gro\u00df \u039f\u0394\u039f\u03a3 \u03bf\u03b4\u03cc\u03c2 \u03a3\u03af\u03c3\u03c5\u03c6\u03bf\u03c2
\u0416\u0438\u0437\u043d\u044c \u043f\u0440\u0435\u043a\u0440\u0430\u0441\u043d\u0430 \u0451\u043b\u043a\u0430 \u0439\u043e\u0434
\u0645\u0631\u062d\u0628\u0627 \u0628\u0627\u0644\u0639\u0627\u0644\u0645 \u0645\u064f\u062d\u064e\u0645\u0651\u064e\u062f \u061f\u060c\u061b
\u05e9\u05dc\u05d5\u05dd \u05e2\u05d5\u05dc\u05dd \u05e9\u05b8\u05c1\u05dc\u05d5\u05b9\u05dd \u05be \u05f3
\u0e2a\u0e27\u0e31\u0e2a\u0e14\u0e35\u0e0a\u0e32\u0e27\u0e42\u0e25\u0e01 \u0928\u092e\u0938\u094d\u0924\u0947 \u0926\u0941\u0928\u093f\u092f\u093e \u0964 \u0bb5\u0ba3\u0b95\u0bcd\u0b95\u0bae\u0bcd
\u6211\u559c\u6b22\u8fd9\u90e8\u7535\u5f71 \u592a\u597d\u4e86\uff01 \u4e0d\u9519\uff0c\u4f46\u662f\u6709\u70b9\u957f\u3002
\u6211love\u4f60 iPhone\u624b\u673a 5G\u7f51\u7edc 2021\u5e74 A\u80a1 \u300a\u9738\u738b\u522b\u59ec\u300b
\u3053\u3093\u306b\u3061\u306f\u4e16\u754c \u30ab\u30bf\u30ab\u30ca \u30ac\u30ae \u30b0\u30b2\u30b4 \uff76\uff9e
\uc548\ub155\ud558\uc138\uc694 \uc138\uacc4 \u1112\u1161\u11ab
\U0001f600 \U0001f602\U0001f602 \U0001f468\u200d\U0001f469\u200d\U0001f467 \u2764\ufe0f \U0001f1e9\U0001f1ea \U0001f44d\U0001f3fd
zero\u200bwidth joiner\u200djoin soft\u00adhyphen bom\ufeffbom word\u2060joiner rtl\u202ertl\u202c
nul\x00char bell\x07 del\x7f c1\x85next\x9f esc\x1b[0m vt\x0bff\x0c us\x1f
nbsp\u00a0nbsp thin\u2009thin ideographic\u3000space line\u2028sep para\u2029sep ogham\u1680space narrow\u202f math\u205f
replacement\ufffdchar private\ue000use noncharacter\ufffe unassigned\u0378x
\uff21\uff22\uff23 \uff11\uff12\uff13 \uff01\uff1f \ufb01ne \ufb02oor \u01c4 \u01c6 \u2122 \u33c2
\U00020000\U0002a6d6 \U0002b740 \U0002b820\U0002b920 \U0002f800 \uf900 \u3400\u4dbf \u9fff \ua000
[CLS] [SEP] [MASK] [UNK] [PAD] a[SEP]b [sep] [ MASK ] [[UNK]] [MASK][MASK]. [CLS
##ing ## #hash #a ##a a##b
a\u0300\u0301\u0302\u0303\u0304\u0305 \u0344 \u0958 \u2126 \u212b \u1e69 s\u0323\u0307
\u1d2c\u1d2d \u02b0 \u00aa \u00ba \u2070 \u2080 \u2460 \u24d0 \u1f150 \u3220
\u0e50\u0e51 \u0660\u0661 \u0966 \u2167 \u3007 \u3021""".split("\n")
S += ["x" * n for n in (98, 99, 100, 101, 1000)] + ["\u00e9" * n for n in (99, 100, 101)] + ["e\u0301" * n for n in (50, 51, 100, 101)] + ["\u4e2d" * 120, "un" * 50, "un" * 51]
S += ["%s%c%s" % ("film", c, "s") for c in range(33, 127) if not chr(c).isalnum()]
S += [chr(c) + "x" + chr(c) for c in (0x9, 0xA, 0xD, 0x1C, 0x1D, 0x1E, 0x1F, 0x85, 0xA0, 0xAD, 0x34F, 0x600, 0x61C, 0x6DD, 0x70F, 0x180E, 0x200C, 0x200E, 0x2028, 0x2066, 0xFE0F, 0xFFF9, 0x110BD, 0xE0001, 0xE0061, 0xF0000, 0x10FFFD)]
subjects = "the movie|this actor|her voice|his performance|the ending|my favourite scene|the director's cut|that soundtrack|the whole cast|the dialogue".split("|")
verbs = "was|isn't|seemed|felt|could've been|turned out to be|never gets|remains".split("|")
opinions = "absolutely stunning|kind of dull|over-the-top|heart-wrenching|mediocre at best|surprisingly touching|laugh-out-loud funny|unwatchable|well-paced|a 10/10".split("|")
S += [f"{rng.choice(subjects).capitalize()} {rng.choice(verbs)} {rng.choice(opinions)}{rng.choice(['.', '!', '?!', '...', ''])}" for _ in range(160)]
zh = "\u8fd9\u90e8\u7247\u5b50|\u4ed6\u7684\u6f14\u6280|\u6545\u4e8b\u60c5\u8282|\u914d\u4e50|\u7ed3\u5c40|\u5973\u4e3b\u89d2".split("|")
zo = "\u975e\u5e38\u611f\u4eba|\u6709\u70b9\u65e0\u804a|\u8d85\u7ea7\u68d2|\u4e0d\u600e\u4e48\u6837|\u8ba9\u4eba\u843d\u6cea|so so".split("|")
zm, zend = ["", "\u771f\u7684", " "], ["\u3002", "\uff01", "", "?"]
S += [rng.choice(zh) + rng.choice(zm) + rng.choice(zo) + rng.choice(zend) for _ in range(40)]
planes = [(0x20, 0x7F), (0xA0, 0x250), (0x300, 0x370), (0x370, 0x600), (0x900, 0xE80), (0x1E00, 0x2070), (0x2070, 0x2C00), (0x3000, 0x3100), (0x4E00, 0x9FFF), (0xAC00, 0xD7A3), (0xFB00, 0xFFFF), (0x1F300, 0x1F700)]
for _ in range(140):
    S.append("".join(chr(rng.randrange(*rng.choice(planes))) if rng.random() < 0.7 else rng.choice([" ", "a", "Re", "un", "."]) for _ in range(rng.randrange(3, 24))))
S = list(dict.fromkeys(S))


def reference(vocab, lower):
    t = BertWordPieceTokenizer(vocab=vocab, lowercase=lower)
    t.add_special_tokens([s for s in SPECIALS if s in vocab])
    return t


def golden(path, lower):
    vocab = {w.rstrip("\n"): i for i, w in enumerate(open(path, encoding="utf-8", newline="\n"))}
    whole = reference(vocab, lower)
    pieces = set()
    for s in S:
        for word, _ in whole.pre_tokenizer.pre_tokenize_str(whole.normalizer.normalize_str(s)):
            if len(word) <= 100:
                pieces.update(word[i:j] for i in range(len(word)) for j in range(i + 1, min(len(word), i + 20) + 1))
    part = SPECIALS + [w for w in vocab if w not in SPECIALS and (w in pieces or w.startswith("##") and w[2:] in pieces)]
    part = {w: i for i, w in enumerate(part)}
    small, ids = reference(part, lower), []
    for s in S:
        want = whole.encode(s).tokens
        assert small.encode(s).tokens == want, (s, want, small.encode(s).tokens)
        ids.append([part[t] for t in want[1:-1]])
    return {"vocab": list(part), "lower": lower, "ids": ids}


dir = sys.argv[1]
out = {"library": "tokenizers " + tokenizers.__version__, "texts": S,
       "cases": {"bert-base-uncased": golden(f"{dir}/bert-base-uncased-vocab.txt", True), "bert-base-chinese": golden(f"{dir}/bert-base-chinese-vocab.txt", False)}}
path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "golden.json")
json.dump(out, open(path, "w"), separators=(",", ":"))
print(out["library"], len(S), "strings,", os.path.getsize(path), "bytes,", {n: len(c["vocab"]) for n, c in out["cases"].items()})
