"""What people are told, in Chinese and in English: one pair for each error type.

Braces name details of the error. Clients show these sentences in a toast: short, and something to act on.
"""

from typing import Final

MESSAGES: Final[dict[str, tuple[str, str]]] = {
    # 400
    "invalid_json": ("请求体不是合法的 JSON（UTF-8）", "The body is not valid JSON in UTF-8."),
    "invalid_field": ("参数 {field} 有误，请检查", "The parameter {field} is not valid; please check it."),
    "missing_field": ("缺少参数 {field}", "The parameter {field} is missing."),
    "invalid_request": ("请求格式有误", "The request is malformed."),
    "body_timeout": ("请求体迟迟没有传完，请重试", "The body did not arrive in time; please try again."),
    "body_incomplete": ("请求体没有传完整，请重试", "The body broke off; please try again."),
    "temporary_path": (
        "{field} 是本机临时路径，请先上传图片或转成 base64",
        "{field} is a temporary path on the device; upload the picture or inline it as base64.",
    ),
    "model_not_allowed": ("不支持这个模型", "This model is not offered here."),
    # 401, 403
    "token_required": ("请先登录", "Please log in first."),
    "token_invalid": ("登录已失效，请重新登录", "Your login is no longer valid; please log in again."),
    "not_yours": ("无权访问", "This does not belong to you."),
    "local_only": (
        "服务只接受本机访问；对外提供请设置 AUTH=required（或仅演示用的 AUTH=open）",
        "The service answers this machine only; set AUTH=required (or AUTH=open for a demo) to serve others.",
    ),
    "admin_only": ("仅限管理员", "For the operator only."),
    "refresh_refused": ("登录已过期，请重新登录", "The session has ended; please log in again."),
    # 404, 405, 409, 413, 415, 422
    "route_not_found": ("接口不存在", "No such endpoint."),
    "turn_not_found": ("找不到这条对话", "No such turn."),
    "conversation_not_found": ("找不到这个会话", "No such conversation."),
    "method_not_allowed": ("不支持这种请求方法", "This method is not supported here."),
    "body_too_large": ("内容太大，上限 {limit_bytes} 字节", "Too large; the limit is {limit_bytes} bytes."),
    "unsupported_media_type": (
        "请用 Content-Type: application/json 发送",
        "Please send Content-Type: application/json.",
    ),
    "multipart_required": (
        "请用 multipart/form-data 上传图片",
        "Please upload the picture as multipart/form-data.",
    ),
    "idempotency_mismatch": (
        "同一个幂等键已用于不同的内容",
        "This idempotency key was already used with another payload.",
    ),
    "unsupported_picture": (
        "只支持完整的 PNG、JPEG、WebP、GIF 图片",
        "Only whole PNG, JPEG, WebP or GIF pictures are accepted.",
    ),
    "too_many_pixels": (
        "图片像素太多，上限 {limit_megapixels} 百万像素",
        "The picture has too many pixels; the limit is {limit_megapixels} megapixels.",
    ),
    "file_not_found": ("文件不存在或已过期", "No such file, or it has expired."),
    # 429, 503
    "rate_limited": ("请求太频繁，请稍后再试", "Too many requests; please wait a moment."),
    "too_many_turns": ("同时进行的对话太多，请等前面的完成", "Too many answers in progress; wait for one to finish."),
    "quota_exceeded": ("今日额度已用完", "Today's quota is used up."),
    "overloaded": ("服务繁忙，请稍后再试", "The service is busy; please try again soon."),
    "stopping": ("服务正在重启，请稍后再试", "The service is restarting; please try again soon."),
    "store_unavailable": ("数据暂时无法保存，请稍后再试", "Data cannot be stored right now; please try again soon."),
    # 500
    "internal_error": ("服务器内部错误", "Internal server error."),
    "upstream_timeout": ("AI 服务响应超时，请稍后再试", "The AI service took too long; please try again."),
    "upstream_unavailable": ("AI 服务暂时不可用，请稍后再试", "The AI service is not available; please try again."),
    "upstream_rejected": ("AI 服务拒绝了请求", "The AI service refused the request."),
    "upstream_invalid": ("AI 服务返回异常，请稍后再试", "The AI service gave an unusable answer; please try again."),
    # Login with WeChat: 400, 403, 500
    "login_code_invalid": (
        "登录凭证无效或已过期，请重新登录",
        "The login code is not valid or has expired; please log in again.",
    ),
    "login_code_used": ("登录凭证已使用过，请重新登录", "This login code was already used; please log in again."),
    "login_blocked": (
        "微信出于安全原因拦截了登录，请在微信中检查账号状态",
        "WeChat blocked this login for safety; please check your account in WeChat.",
    ),
    "login_unavailable": ("微信登录暂时不可用，请稍后再试", "WeChat login is not available; please try again soon."),
    "login_misconfigured": (
        "微信登录配置有误，请联系管理员",
        "WeChat login is set up wrongly; please tell the operator.",
    ),
    "login_not_configured": (
        "本服务没有开通微信登录，请联系管理员",
        "WeChat login is not set up; please tell the operator.",
    ),
    # Content safety: 400, 413, 500
    "content_refused": (
        "内容未通过安全检查，请修改后再试",
        "The content did not pass the safety check; please change it.",
    ),
    "content_too_long": (
        "内容太长，无法做安全检查，上限 {limit_chars} 字",
        "Too long for the safety check; the limit is {limit_chars} characters.",
    ),
    "content_check_unavailable": (
        "内容安全检查暂时不可用，请重新打开小程序后再试",
        "The content check is not available; please reopen the mini-program and try again.",
    ),
    "picture_unavailable": ("图片取回失败，请稍后再试", "The picture could not be fetched; please try again."),
    "no_picture": ("这次没有画出图片，请换个说法再试", "No picture came back; please rephrase and try again."),
    "balance_unsupported": ("上游不提供余额查询", "The upstream offers no balance query."),
}

NOTICES: Final[dict[str, tuple[str, str]]] = {
    "context_shortened": (
        "对话太长，较早的内容没有发给 AI",
        "The conversation was too long: its oldest part was left out.",
    ),
    "reply_recalled": (
        "回答没有通过内容安全检查，已撤回",
        "The answer did not pass the content check and was taken back.",
    ),
    "images_partial": ("只生成了一部分图片", "Only some of the pictures could be made."),
}
"""What may be said beside an answer that succeeded."""
