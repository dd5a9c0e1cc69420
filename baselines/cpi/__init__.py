"""CPI, the paper's strongest rival: faces compared by what a network makes of them in every pose.

J. Yim, H. Jung, B. Yoo, C. Choi, D. Park, J. Kim, "Rotating Your Face Using Multi-task Deep Neural Network",
CVPR 2015: a network of locally connected layers turns a face, in whatever pose and light, to the pose that a
*remote code* in the picture's border asks for, in frontal light; a second task makes the input anew from the
drawing and a code, so that who it is does not get lost; the drawings, *controlled pose images*, are the
features.

Written from descriptions of the method, not from its code: ``docs/cpi.md`` lists what is published, guessed
and our own, with reasons, and what was tried.
"""
