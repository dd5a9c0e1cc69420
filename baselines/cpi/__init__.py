"""CPI, the paper's strongest rival: faces compared by what a network makes of them in every pose.

J. Yim, H. Jung, B. Yoo, C. Choi, D. Park, J. Kim, "Rotating Your Face Using Multi-task Deep Neural Network",
CVPR 2015: a network of locally connected layers turns a face, in whatever pose and light, to the pose that a
*remote code* in the picture's border asks for, in frontal light; a second task makes the input anew from the
drawing and a code, so that who it is does not get lost; the drawings, *controlled pose images*, are the
features.

Written from descriptions of the method, not from its code.  Guessed are: the sizes of all layers (the
published pictures are 60 × 60, these 32 × 32), ReLU and max-pooling, the frame of two pixels in which the
digits of the remote code alternate, the length of the code beside the drawing, the weight of the second task,
and how a face is turned step by step.  Our own are: the optimiser, which is the one of our networks, mirrored
examples, the pose head that tells a gallery face's pose, and how drawings are compared.  ``docs/cpi.md`` has
the list with reasons, and what was tried.
"""
