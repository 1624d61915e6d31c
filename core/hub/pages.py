"""Pages that people paste, as data: where the Hub is found, and what its pages are that are no model's."""

import re

# The Hub's hosts and mirror, however an address names them; a user before "@" says nothing, as `git@hf.co:` shows.
HOSTS = re.compile(
    r"hf://|(?:(?:(?:https?|git\+https?|ssh):)?//)?(?:(?:\[redacted\]|[\w.+-]+)@)?"
    r"(?:www\.)?(?:huggingface\.co|hf\.co|hf-mirror\.com)(?:(?::\d{1,5})?/|(?<=@hf\.co):|(?<=@huggingface\.co):)",
    re.IGNORECASE | re.ASCII,
)
# Hubs that hold models and are not the Hub: what people call one, and the addresses of its models up to the owner.
OTHER_SITES = {
    "ModelScope": re.compile(
        r"(?:(?:https?:)?//)?(?:(?:\[redacted\]|[\w.+-]+)@)?(?:www\.)?modelscope\.(?:cn|ai)(?::\d{1,5})?/"
        r"(?:api/v1/)?(?:models/)?(?!(?:datasets|studios|collections|papers|docs|organization)/)",
        re.IGNORECASE | re.ASCII,
    ),
}
# Programs that fetch from such a hub.
OTHER_PROGRAMS = {"modelscope": "ModelScope"}
# First words of the Hub's addresses that are no owner, by the note that says what the page is.
_WORDS = {
    "page_dataset": "datasets",
    "page_space": "spaces",
    "page_collection": "collections",
    "page_paper": "papers",
    "page_list": "models search",
    "page_owner": "organizations",
    "page_text": "docs blog learn course posts tasks changelog brand languages",
    "page_site": "settings login logout join signup pricing enterprise chat assistants new new-dataset new-space "
    "new-collection new-bucket inference inference-endpoints inference-providers inference-api playground "
    "notifications inbox activity billing storage support privacy terms-of-service content-guidelines content-policy "
    "code-of-conduct security oauth sso jobs metrics hardware kernels buckets autotrain huggingchat front api",
}
OTHER_PAGES = {word: code for code, words in _WORDS.items() for word in words.split()}
