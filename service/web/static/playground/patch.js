/** Makes what is shown equal to what should be, and touches only what differs: pictures do not flicker, selections stay. */

/** Shape: both are elements or fragments; the nodes of `wanted` may be moved into `shown`. */
export function patchChildren(shown, wanted) {
  const wantedNodes = [...wanted.childNodes];
  const shownNodes = [...shown.childNodes];
  wantedNodes.forEach((node, index) => {
    if (index >= shownNodes.length) shown.append(node);
    else patch(shownNodes[index], node);
  });
  shownNodes.slice(wantedNodes.length).forEach((node) => node.remove());
}

function patch(shown, wanted) {
  if (shown.nodeType === Node.TEXT_NODE && wanted.nodeType === Node.TEXT_NODE) {
    if (shown.data !== wanted.data) shown.data = wanted.data;
  } else if (isAlike(shown, wanted)) {
    patchChildren(shown, wanted);
  } else {
    shown.replaceWith(wanted);
  }
}

function isAlike(one, other) {
  return one.nodeType === Node.ELEMENT_NODE && one.nodeName === other.nodeName && one.cloneNode().isEqualNode(other.cloneNode());
}
