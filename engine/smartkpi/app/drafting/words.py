"""What the words of column names mean, as far as they tell: money, counts, people, steps of a funnel."""

from __future__ import annotations


def _set(text: str) -> frozenset[str]:
    return frozenset(text.split())


MONEY = _set("""
    amount price value revenue spend spent cost costs sales freight fee fees income payment turnover gmv tax profit
    budget charge paid salary margin wert betrag umsatz preis kosten erlös importe precio ventas coste montant
    prix valor preço receita 金额 价格 收入 费用 花费 销售额 成本
""")
MEAN_ONLY = _set("""
    price rate rates ratio share percent pct percentage score rating avg average mean median age temperature lat lon
    latitude longitude index level discount preis precio prix preço 价格 率 比例 duration delay weight width height
    length lenght size speed
""")
"""Words of numbers that are averaged: added up they say nothing."""

NO_MONEY = _set("installments instalments count number times days months sequential items")
CODES = _set("""
    id ids key code zip postcode prefix phone year month day hour week weekday number no nr num sku seq sequential
    sequence line index rank version lat lon latitude longitude plz cp ean isbn
""")
"""Words of numbers that are names."""

SCORES = _set("score rating stars grade nps csat satisfaction 评分")
PEOPLE = tuple(
    """
    user customer visitor client buyer member subscriber person patient student passenger guest player account contact
    company session seller agent employee device kunde nutzer cliente 用户 客户 访客 会员 买家
    """.split()  # noqa: SIM905
)
"""Who rows are about, those first that are most often asked for."""

EVENT_COLUMNS = _set("event action activity verb what 事件 动作 行为")
KIND_COLUMNS = _set("type event_type eventtype kind")
STATUS = _set("status stage state step phase outcome result 状态 阶段")
COUNTS = _set("""
    impressions impression exposures exposure clicks click views view pageviews visits visit visitors visitor sessions
    session loads users user orders purchases purchase conversions conversion installs signups registrations leads opens
    sends sent deliveries bounces searches search carts cart reach likes shares comments downloads calls hits
    transactions transaction units count counts inquiries enquiries refunds returns uniques uv pv people shown clicked
    bought payments chats consultations feedbacks replies besuche klicks bestellungen aufrufe besucher visitas clics
    pedidos
""")
HOW = _set("paid")
"""Words of money that tell a count from others as well: paid orders are orders."""

COUNT_ENDINGS = ("曝光", "点击", "访问", "访客", "订单", "浏览", "展示", "次数", "下单", "人数", "数", "量")
UNIQUES = _set("unique uniques visitors users reach distinct uv audience people besucher 独立 访客 人数 用户")
"""Counts of people on a day: whoever comes on two days is two of them."""

NOISE = _set("of the number no num count total sum n nr in per")

STEPS: tuple[tuple[str, frozenset[str]], ...] = (
    ("impression", _set("impression impressions exposure exposures shown show display 曝光 展示")),
    ("click", _set("click clicks clicked klicks clics 点击")),
    (
        "visit",
        _set("""
            visit visits session sessions pageview pageviews view views viewed load loads landing besuche visitas 访问
            浏览
        """),
    ),
    ("cart", _set("cart carts addtocart basket 加购")),
    ("inquiry", _set("inquiry inquiries enquiry enquiries lead leads signup signups contact 询盘")),
    (
        "order",
        _set("""
            order orders purchase purchases transaction transactions buy bought sale conversion conversions checkout
            bestellungen pedidos 订单 下单 购买
        """),
    ),
)
"""The steps from being seen to being paid, and the words for each."""

CURRENCIES = _set("""
    usd eur gbp jpy cny rmb brl inr krw chf aud cad sek nok dkk pln czk huf try mxn zar hkd sgd twd thb idr myr php vnd
    ils nzd rub aed sar clp cop ars
""")

_ALIKE = """
impression exposure exposures shown show display 曝光 展示
click clicked 点击
visit session pageview view viewed landing 访问 浏览
cart addtocart basket 加购 购物车
order purchase transaction buy bought sale sold conversion checkout 订单 下单 购买 销售
line item detail 行 明细
payment paid pay 付款 支付
refund refunded 退款
return returned 退货
delivery delivered deliver shipped shipping shipment 送达 交付 发货
review rating survey score 评价 评分
inquiry enquiry lead 询盘
spend spent cost expense 花费 成本
revenue turnover income gmv 收入
buyer customer client user 买家 客户
no number id nr 号
quantity qty piece unit 数量 件数
promised promise estimated required due expected 承诺
profit margin gain 利润
commission fee 佣金
investment invest ads 投入
stock inventory 库存 盘点
reason why cause 原因
"""
FILLERS = _set("of the in per add to a an and total sum count website all store shop")
"""Words that do not tell one event from another."""

ALSO = {
    "review": _set("feedback"),
    "inquiry_order": _set("deal deals won 成交 赢单"),
    "order_with_amount": _set("won closed close 成交 赢单"),
    "sales_order": _set("won closed close 成交 赢单"),
    "user_registration": _set("signup signups register registered 注册"),
    "user_activity": _set("login logins signin activity 登录 活跃"),
}
"""Words for events of packs that mean something else elsewhere: a deal that is won is an order of a firm."""

AD_WORDS = _set("ad ads advert adverts advertising campaign campaigns adwords 广告")
AD_STEPS = _set("impression click")
"""Words of tables that are about ads, and what they count."""

PARTS = _set("first returning new repeat failed cancelled canceled invalid bounced")
"""Words of counts that are of a part: first visits are not the visits."""

FIRMS = _set("account company firm")
"""Who buys of a firm, where no column says customer or buyer."""

UNDONE = _set(
    "pipeline opportunity opportunities quote quotes draft drafts abandoned forecast plan plans target targets"
)
"""Words of tables whose rows have not happened, or not all of them."""

GENERIC = _set("amount value total revenue sales turnover betrag umsatz importe montant 金额 收入 销售额")
"""Words of money that may be any: freight or tax is none of them."""

SAME = {word: group.split()[0] for group in _ALIKE.strip().splitlines() for word in group.split()}
"""The word that stands for all that mean the same."""
